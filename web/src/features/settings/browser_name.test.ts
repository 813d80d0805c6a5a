import { expect, it } from 'vitest';
import { browserName } from './browser_name';

it('names browsers and systems as people do', () => {
  const of = (rest: string) => browserName(`Mozilla/5.0 ${rest}`);
  expect(of('(X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36')).toBe(
    'Chrome, Linux',
  );
  expect(of('(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0')).toBe(
    'Edge, Windows',
  );
  expect(of('(iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile/15E Safari/604.1')).toBe(
    'Safari, iOS',
  );
  expect(of('(Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0')).toBe('Firefox, macOS');
  expect(browserName('a program of somebody')).toBe('a program of somebody');
});
