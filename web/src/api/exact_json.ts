// JSON in which amounts keep their digits: a number with a fraction, an exponent or more digits than a float holds
// becomes its own text. Everything else reads as JSON.parse reads it.

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const EXACT_DIGITS = 15;

export function parseExactly(text: string): unknown {
  return JSON.parse(
    text.replace(TOKENS, (token) => {
      const exact = token.startsWith('"') || (!/[.eE]/.test(token) && token.length <= EXACT_DIGITS);
      return exact ? token : `"${token}"`;
    }),
  );
}
