/** A number of tokens for reading: 128K, 1.05M. */
export function formatTokens(count: number, language: string): string {
  return new Intl.NumberFormat(language === 'zh-CN' ? 'en' : language, {
    notation: 'compact',
    maximumFractionDigits: count >= 1_000_000 ? 2 : 0,
  }).format(count);
}
