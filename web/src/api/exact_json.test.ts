import { expect, it } from 'vitest';
import { parseExactly } from './exact_json';

it('keeps the digits of amounts and reads the rest as usual', () => {
  const text = String.raw`{"cost":0.000000123,"big":9000000000.123456789,"e":1e-9,"n":42,"s":"1.5 \" 2.5","a":[0.1,-3,null,true]}`;
  expect(parseExactly(text)).toEqual({
    cost: '0.000000123',
    big: '9000000000.123456789',
    e: '1e-9',
    n: 42,
    s: '1.5 " 2.5',
    a: ['0.1', -3, null, true],
  });
});

it('refuses what is no JSON', () => {
  expect(() => parseExactly('{"a":')).toThrow();
});
