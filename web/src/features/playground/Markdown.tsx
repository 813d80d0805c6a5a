import { Anchor } from '@mantine/core';
import { isValidElement, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import ReactMarkdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { CodeBlock } from '../../ui/CodeBlock';
import classes from './playground.module.css';

const PLUGINS = [remarkGfm];

/**
 * An answer as its author meant it: headings, lists, tables, code to be copied. HTML in it stays text, and pictures
 * stay links: what a model writes must not load anything by itself.
 */
export default function Markdown({ text }: { text: string }) {
  return (
    <div className={classes.markdown}>
      <ReactMarkdown remarkPlugins={PLUGINS} components={COMPONENTS}>
        {text}
      </ReactMarkdown>
    </div>
  );
}

const COMPONENTS: Components = {
  a: ({ href, children }) => <Outside href={href}>{children}</Outside>,
  img: ({ src, alt }) => <Outside href={typeof src === 'string' ? src : undefined}>{alt || String(src)}</Outside>,
  pre: ({ children }) => <Fence>{children}</Fence>,
  table: ({ children }) => (
    <div className={classes.wide}>
      <table>{children}</table>
    </div>
  ),
  // The page has headings of its own; those of an answer stand below them.
  h1: ({ children }) => <h3>{children}</h3>,
  h2: ({ children }) => <h4>{children}</h4>,
  h3: ({ children }) => <h5>{children}</h5>,
};

function Outside({ href, children }: { href: string | undefined; children: ReactNode }) {
  return (
    <Anchor href={href} target="_blank" rel="noreferrer nofollow" inherit>
      {children}
    </Anchor>
  );
}

/** The block of code within the `pre` that Markdown makes. */
function Fence({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const code = isValidElement<{ children?: unknown }>(children) ? children.props.children : children;
  return <CodeBlock code={String(code ?? '').replace(/\n$/, '')} label={t('playground.code')} />;
}
