import type { ReactNode } from 'react';
import { type DecimalText, placesOf } from '../money/decimal';
import classes from './table.module.css';
import { Usd } from './Usd';

export interface Column<Row> {
  key: string;
  header: string;
  cell?: (row: Row) => ReactNode;
  /** Instead of a cell: money, with the points of all rows under each other. */
  amount?: (row: Row) => DecimalText | null | undefined;
  /** The amounts are what the row is about. */
  strong?: boolean;
  /** Numbers stand at the right. */
  numeric?: boolean;
  /** Left out where there is little room. */
  wide?: boolean;
  /** On a narrow screen the whole width of the card, not half of it. */
  full?: boolean;
  /** Only as wide as what stands in it. */
  narrow?: boolean;
  /** What stands above it instead of the bare words. */
  head?: ReactNode;
  /** The row's name; one column of a table. */
  heading?: boolean;
}

interface DataTableProps<Row> {
  label: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  /** All columns but the first are as wide as each other, whatever stands in them. */
  even?: boolean;
  /** Marks rows that have just come in. */
  fresh?: (row: Row) => boolean;
}

/** A table that becomes a list of cards on a narrow screen. */
export function DataTable<Row>({ label, columns, rows, rowKey, even, fresh }: DataTableProps<Row>) {
  const drawn = columns.map((column) => ({
    ...column,
    numeric: column.numeric || column.amount !== undefined,
    draw: column.amount ? amounts(rows, column.amount, column.strong ?? false) : (column.cell ?? (() => null)),
  }));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table is scrolled with the keyboard
    <section className={classes.scroll} aria-label={label} tabIndex={0}>
      <table className={classes.table} data-even={even}>
        <caption className={classes.caption}>{label}</caption>
        <thead>
          <tr>
            {drawn.map((column) => (
              <th
                key={column.key}
                scope="col"
                data-numeric={column.numeric || undefined}
                data-wide={column.wide}
                data-narrow={column.narrow}
              >
                {column.head ?? column.header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)} data-fresh={fresh?.(row) || undefined}>
              {drawn.map((column) => {
                const Cell = column.heading ? 'th' : 'td';
                return (
                  <Cell
                    key={column.key}
                    {...(column.heading ? { scope: 'row' } : {})}
                    data-numeric={column.numeric || undefined}
                    data-wide={column.wide}
                    data-narrow={column.narrow}
                    data-full={column.full}
                    data-label={column.header}
                  >
                    {column.draw(row)}
                  </Cell>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function amounts<Row>(rows: readonly Row[], of: (row: Row) => DecimalText | null | undefined, strong: boolean) {
  const places = Math.max(0, ...rows.map((row) => placesOf(of(row) ?? '')));
  return (row: Row) => <Usd amount={of(row)} places={places} {...(strong ? { fw: 600 } : {})} />;
}
