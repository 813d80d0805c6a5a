import classes from './ui.module.css';

/** Words of the API, each in a frame of its own. */
export function Tags({ words }: { words: readonly string[] }) {
  return (
    <ul className={classes.tags}>
      {words.map((word) => (
        <li key={word}>{word}</li>
      ))}
    </ul>
  );
}
