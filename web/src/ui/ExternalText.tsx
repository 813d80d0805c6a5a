import { Anchor } from '@mantine/core';

/** A name given by a third party, linked only where the address is one a browser should open. */
export function ExternalText({ name, url }: { name: string; url: string | null | undefined }) {
  if (!url || !/^https?:\/\//.test(url)) return <span>{name}</span>;
  return (
    <Anchor href={url} target="_blank" rel="noreferrer noopener nofollow" inherit>
      {name}
    </Anchor>
  );
}
