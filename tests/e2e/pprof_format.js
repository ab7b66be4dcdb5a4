#!/usr/bin/env node
// A pprof profile from standard input as npm's pprof-format reads it. Prints, a line a sample type: type, unit, sum of the values. Fails where what it
// writes again is not the same profile.
const { Profile } = require("../fixtures/pprof-format/index.js");
const { deepStrictEqual } = require("assert");
const { readFileSync } = require("fs");
const { gunzipSync } = require("zlib");

const profile = Profile.decode(gunzipSync(readFileSync(0)));
deepStrictEqual(Profile.decode(profile.encode()), profile);
const text = (index) => profile.stringTable.strings[Number(index)];
profile.sampleType.forEach(({ type, unit }, k) => {
	const sum = profile.sample.reduce((sum, { value }) => sum + BigInt(value[k]), 0n);
	console.log([text(type), text(unit), sum].join("\t"));
});
