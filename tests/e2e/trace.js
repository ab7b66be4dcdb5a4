#!/usr/bin/env node
// Checks a trace against Chrome's Trace Event Format as it is published, strictly: JSON, the fields of each phase and their types and no others,
// complete events of a thread that lie in each other, B and E that balance, asynchronous events and flows that begin before they
// end, by their ids. Usage: trace.js FILE; prints how many events of each phase there are.
'use strict';
const text = new TextDecoder('utf-8', {fatal: true}).decode(require('fs').readFileSync(process.argv[2]));
const SLACK_US = 0.002; // of times that were rounded

function need(holds, what, event) {
	if (!holds)
		throw new Error(`${what}: ${JSON.stringify(event)}`);
}

const isText = (v) => typeof v === 'string' && !/[\u0000-\u001f\u007f]/.test(v);
const isTime = (v) => typeof v === 'number' && Number.isFinite(v) && v >= 0;
const isNumber = (v) => typeof v === 'number' && Number.isFinite(v);
const isId = (v) => Number.isSafeInteger(v) && v > 0;
const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);
const isKey = (v) => (isText(v) && v !== '') || Number.isSafeInteger(v);
const isCounts = (v) => isObject(v) && Object.keys(v).length > 0 && Object.values(v).every(isNumber);

const common = {name: isText, ph: isText, ts: isTime, pid: isId, tid: isId};
const keyed = {...common, cat: isText, id: isKey};
const phases = { // fields that must be there, and those that may
	X: [{...common, dur: isTime}, {cat: isText, args: isObject, tdur: isTime, tts: isTime}],
	B: [common, {cat: isText, args: isObject, tts: isTime}],
	E: [{ph: isText, ts: isTime, pid: isId, tid: isId}, {name: isText, cat: isText, args: isObject, tts: isTime}],
	i: [{...common, s: (v) => ['g', 'p', 't'].includes(v)}, {cat: isText, args: isObject}],
	C: [{...common, args: isCounts}, {cat: isText, id: isKey}],
	b: [keyed, {args: isObject, scope: isText}],
	n: [keyed, {args: isObject, scope: isText}],
	e: [keyed, {args: isObject, scope: isText}],
	s: [keyed, {args: isObject}],
	t: [keyed, {args: isObject}],
	f: [keyed, {args: isObject, bp: (v) => v === 'e'}],
	M: [{...common, args: isObject}, {cat: isText}],
};
const metadata = {process_name: ['name', isText], thread_name: ['name', isText], process_labels: ['labels', isText],
	process_sort_index: ['sort_index', isNumber], thread_sort_index: ['sort_index', isNumber]};

function checkFields(event) {
	need(isObject(event) && phases[event.ph], 'no such phase', event);
	const [must, may] = phases[event.ph];
	for (const field in must)
		need(field in event, `no ${field}`, event);
	for (const field in event)
		need(((must[field] || may[field]) ?? (() => false))(event[field]), `the field ${field}`, event);
	if (event.ph === 'M') {
		need(event.name in metadata, 'no such metadata', event);
		const [field, is] = metadata[event.name];
		need(Object.keys(event.args).length === 1 && is(event.args[field]), 'its arguments', event);
	}
}

function grouped(events, phasesOf, key) {
	const groups = new Map();
	for (const event of events.filter((e) => phasesOf.includes(e.ph))) {
		if (!groups.has(key(event)))
			groups.set(key(event), []);
		groups.get(key(event)).push(event);
	}
	return groups.values();
}

const ofThread = (e) => `${e.pid} ${e.tid}`;
const ofId = (e) => JSON.stringify([e.cat, e.scope, e.id]);

function checkNesting(events) {
	const ends = [];
	const byTime = [...events].sort((a, b) => a.ts - b.ts || b.dur - a.dur);
	for (const event of byTime) {
		while (ends.length && ends.at(-1) <= event.ts)
			ends.pop();
		need(!ends.length || event.ts + event.dur <= ends.at(-1) + SLACK_US, 'it overlaps with another', event);
		ends.push(event.ts + event.dur);
	}
}

// What is open when the trace ends has no E.
function checkPairs(events) {
	const open = [];
	let last = 0;
	for (const event of events) {
		need(event.ts >= last, 'it is earlier than the one before it', event);
		last = event.ts;
		if (event.ph === 'B')
			open.push(event);
		else
			need(open.length && [undefined, open.pop().name].includes(event.name), 'an end of nothing', event);
	}
}

function checkAsynchronous(events) {
	const open = new Map();
	for (const event of events) {
		const of = (open.get(event.name) ?? []);
		open.set(event.name, of);
		if (event.ph === 'b')
			of.push(event.ts);
		else
			need(of.length && (event.ph === 'e' ? of.pop() : of.at(-1)) <= event.ts, 'it has not begun', event);
	}
	for (const of of open.values())
		need(!of.length, 'it does not end', events[0]);
}

function checkFlow(events) {
	let last = -1;
	events.forEach((event, i) => {
		need(event.ph === (i === 0 ? 's' : i === events.length - 1 ? 'f' : 't'), 'a flow begins once, and ends once', event);
		need(event.ts >= last, 'it flows back', event);
		last = event.ts;
	});
	need(events.length > 1, 'a flow without an end', events[0]);
}

const trace = JSON.parse(text);
need(isObject(trace) && Array.isArray(trace.traceEvents), 'no trace', Object.keys(trace));
for (const key in trace)
	need(['traceEvents', 'displayTimeUnit', 'otherData', 'metadata'].includes(key), 'a field of the trace', key);
need([undefined, 'ms', 'ns'].includes(trace.displayTimeUnit), 'its unit', trace.displayTimeUnit);
const events = trace.traceEvents;
events.forEach(checkFields);
for (const group of grouped(events, 'X', ofThread))
	checkNesting(group);
for (const group of grouped(events, 'BE', ofThread))
	checkPairs(group);
for (const group of grouped(events, 'bne', ofId))
	checkAsynchronous(group);
for (const group of grouped(events, 'stf', (e) => JSON.stringify([e.cat, e.id, e.name])))
	checkFlow(group);
const counts = {};
for (const event of events)
	counts[event.ph] = (counts[event.ph] ?? 0) + 1;
console.log(Object.keys(counts).sort().map((phase) => `${phase}=${counts[phase]}`).join(' '));
