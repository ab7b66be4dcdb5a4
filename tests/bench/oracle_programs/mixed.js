// Runs much of node, without end.
const crypto = require('crypto'), zlib = require('zlib');
for (;;) {
  const list = [];
  for (let i = 0; i < 20000; i++) list.push({k: i, s: String(i)});
  JSON.parse(JSON.stringify(list));
  list.sort((x, y) => x.s < y.s ? -1 : 1);
  'abc'.repeat(1000).replace(/b/g, 'x');
  crypto.createHash('sha256').update('x'.repeat(10000)).digest('hex');
  zlib.deflateSync('x'.repeat(10000));
}
