// Keeps the end of a conversation in sight while it grows, and leaves whoever scrolled up to read where they are.

import { useCallback, useEffect, useRef } from 'react';

const NEAR_END_PX = 100;

interface Scrolled {
  top: number;
  /** Where the page stood before. */
  from: number;
  /** How far the end of the page is below the screen. */
  left: number;
}

/** Going up is leaving the end; a page that has grown in the meantime is not. */
export function isFollowing(before: boolean, { top, from, left }: Scrolled): boolean {
  if (left <= NEAR_END_PX) return true;
  return before && top >= from;
}

const left = () => document.documentElement.scrollHeight - window.scrollY - window.innerHeight;

/** Scrolls the page to its end whenever `grown` has changed. The result is for somebody who asks: they look at the end. */
export function useFollow(grown: unknown): () => void {
  const following = useRef(true);
  useEffect(() => {
    let from = window.scrollY;
    following.current = left() <= NEAR_END_PX;
    const onScroll = () => {
      following.current = isFollowing(following.current, { top: window.scrollY, from, left: left() });
      from = window.scrollY;
    };
    window.addEventListener('scroll', onScroll, { passive: true });
    return () => window.removeEventListener('scroll', onScroll);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: follows what grows
  useEffect(() => {
    if (following.current) window.scrollTo({ top: document.documentElement.scrollHeight });
  }, [grown]);
  return useCallback(() => {
    following.current = true;
  }, []);
}
