/** The visitor's way to the preference center and back, for the few pages where one takes it: a module of its own. */

/** A choice as the server knows it. */
export interface Known {
  key?: string;
  granted: number;
  record: string;
  revision: number;
  decided_at_ms: number;
}

/** Leads to the center at `address`. The subject key travels as a token that works once, within ten minutes. */
export async function go(address: string, language: string, api: string, key: string): Promise<void> {
  let query = `?lang=${language}`;
  if (key) {
    let token = '';
    try {
      const answer = await fetch(`${api}handover`, { method: 'POST', body: JSON.stringify({ key }) });
      if (answer.ok) ({ token } = await answer.json());
    } catch {
      // The center says that it could not take the choice over.
    }
    query += `&t=${token}`;
  }
  const link = document.createElement('a');
  link.href = address + query;
  // The center takes a token only from the site's own pages, so it has to learn where the visitor comes from.
  link.referrerPolicy = 'origin';
  link.click();
}

/** What was chosen in the center, by the token of the link `back`, else by the key. */
export async function news(
  server: string,
  api: string,
  key: string,
  back: RegExpExecArray | null,
): Promise<Known | undefined> {
  if (back) history.replaceState(history.state, '', location.pathname + location.search);
  // A token counts only on the way back from the center: a link from anywhere else could make the visitor go on
  // as the subject of whoever made it.
  const [{ type }] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  let answer: Response | undefined;
  if (back?.[2] && type == 'navigate' && document.referrer.startsWith(`${server}/`)) {
    answer = await fetch(`${api}redeem`, { method: 'POST', body: JSON.stringify({ token: back[2] }) });
  } else if (key) {
    answer = await fetch(`${api}choice`, { headers: { authorization: `Bearer ${key}` } });
  }
  return answer?.ok ? answer.json() : undefined;
}
