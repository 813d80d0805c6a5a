/** Puts a text into the clipboard; false where the browser does not allow it. */
export async function copyText(text: string, beside: Element): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without https, elsewhere than on one's own machine, there is no clipboard to ask.
    return copySelected(text, beside);
  }
}

/** By a selection. It has to be within a dialog that keeps the focus in itself, so it is made beside what was pressed. */
function copySelected(text: string, beside: Element): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.readOnly = true;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  beside.after(area);
  area.select();
  try {
    return document.execCommand('copy');
  } catch {
    return false;
  } finally {
    area.remove();
    if (beside instanceof HTMLElement) beside.focus();
  }
}
