import { describe, expect, it } from 'vitest';
import { compareParameters } from './parameters';

const model = (...supported_parameters: string[]) => ({ supported_parameters });

describe('parameters side by side', () => {
  it('are folded where all models understand them and marked where only some do', () => {
    expect(compareParameters([model('tools', 'stop', 'seed'), model('stop'), model('stop', 'tools')])).toEqual({
      shared: ['stop'],
      differing: [
        { name: 'seed', by: [true, false, false] },
        { name: 'tools', by: [true, false, true] },
      ],
    });
  });

  it('are all shared by a single model', () => {
    expect(compareParameters([model('tools', 'stop')])).toEqual({ shared: ['stop', 'tools'], differing: [] });
  });

  it('differ from a model that names none', () => {
    expect(compareParameters([model('stop'), {}])).toEqual({
      shared: [],
      differing: [{ name: 'stop', by: [true, false] }],
    });
  });
});
