import type { ReactNode } from 'react';
import classes from './table.module.css';

export interface Column<Row> {
  key: string;
  header: string;
  cell: (row: Row) => ReactNode;
  /** Numbers stand at the right. */
  numeric?: boolean;
  /** Left out where there is little room. */
  wide?: boolean;
  /** The row's name; one column of a table. */
  heading?: boolean;
}

interface DataTableProps<Row> {
  label: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  /** Marks rows that have just come in. */
  fresh?: (row: Row) => boolean;
}

/** A table that becomes a list of cards on a narrow screen. */
export function DataTable<Row>({ label, columns, rows, rowKey, fresh }: DataTableProps<Row>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table is scrolled with the keyboard
    <section className={classes.scroll} aria-label={label} tabIndex={0}>
      <table className={classes.table}>
        <caption className={classes.caption}>{label}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.key} scope="col" data-numeric={column.numeric} data-wide={column.wide}>
                {column.header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)} data-fresh={fresh?.(row) || undefined}>
              {columns.map((column) => {
                const Cell = column.heading ? 'th' : 'td';
                return (
                  <Cell
                    key={column.key}
                    {...(column.heading ? { scope: 'row' } : {})}
                    data-numeric={column.numeric}
                    data-wide={column.wide}
                    data-label={column.header}
                  >
                    {column.cell(row)}
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
