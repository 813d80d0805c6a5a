/** Where to go after signing in: a page of this app and nothing else, however the address was made. */
export function safeReturn(wanted: string | undefined): string {
  if (!wanted?.startsWith('/') || /^\/[/\\]/.test(wanted) || wanted.startsWith('/sign-in')) return '/';
  try {
    const address = new URL(wanted, window.location.origin);
    return address.origin === window.location.origin ? address.pathname + address.search + address.hash : '/';
  } catch {
    return '/';
  }
}
