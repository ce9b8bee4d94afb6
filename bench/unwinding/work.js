// Compiled code of V8 between functions of node: it has frame pointers and no unwind tables.
function fibonacci(n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
for (let round = 0; round < 20; round++) {
  fibonacci(25);
  const rows = [];
  for (let i = 0; i < 20000; i++) rows.push({ key: i * 7919 % 20011, text: 'x' + i });
  rows.sort((x, y) => x.key - y.key);
  JSON.parse(JSON.stringify(rows)).map(row => row.text.replace(/\d/g, 'y'));
}
