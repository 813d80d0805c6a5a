export function Logo({ size }: { size: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0b7a5e" />
      <path d="M9 24V11" stroke="#fff" strokeWidth="3.2" strokeLinecap="round" />
      <path d="M9 12.5 25 8" stroke="#9ff0d4" strokeWidth="3.2" strokeLinecap="round" />
      <path d="M6.5 24h19" stroke="#fff" strokeWidth="2.4" strokeLinecap="round" opacity="0.55" />
    </svg>
  );
}
