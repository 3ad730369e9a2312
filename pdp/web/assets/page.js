// What every page shares: the choice of language on hosts where the server
// cannot keep it, and copying.

const languageCookie = '__Host-menshen-lang';

export const language = document.documentElement.lang;

for (const control of document.querySelectorAll('button[data-language]')) {
  control.addEventListener('click', () => {
    document.cookie = `${languageCookie}=${control.dataset.language}; Path=/; Secure; SameSite=Lax; Max-Age=31536000`;
    const again = document.querySelector('[data-continue]')?.dataset.continue;
    location.replace(again ?? location.href); // never posts a form a second time
  });
}

for (const control of document.querySelectorAll('[data-copy]')) {
  const label = control.textContent;
  control.addEventListener('click', async () => {
    const source = document.querySelector(control.dataset.copy);
    const lines = source.matches('dl')
      ? [...source.querySelectorAll('dt')].map((term) => `${term.textContent}: ${term.nextElementSibling.textContent.trim()}`)
      : [source.textContent];
    try {
      await navigator.clipboard.writeText(lines.join('\n'));
    } catch {
      getSelection().selectAllChildren(source); // the person copies what is marked
      return;
    }
    control.textContent = control.dataset.copied;
    setTimeout(() => { control.textContent = label; }, 2000);
  });
}

/** A refusal, as the server's problem document tells it. */
export class Refusal extends Error {
  constructor(document) {
    super(document.code ?? 'refused');
    this.document = document;
  }
}

/** A reason that the page itself knows the text of. */
export class Known extends Error {}

/** Asks the server for JSON; throws Refusal, or Known when it does not answer. */
export async function ask(url, body, options = {}) {
  let answer;
  try {
    answer = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers: body === undefined
        ? { 'Accept-Language': language }
        : { 'Content-Type': 'application/json', 'Accept-Language': language },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      redirect: 'error',
      ...options,
    });
  } catch {
    throw new Known('ZT-KEY-006');
  }
  let document = {};
  try {
    document = await answer.json();
  } catch {
    if (answer.ok) throw new Known('ZT-KEY-006');
  }
  if (!answer.ok) throw document.code ? new Refusal(document) : new Known('ZT-KEY-006');
  return document;
}

/** Shows a refusal in the page's problem box and moves the focus there. */
export function showProblem(error) {
  const box = document.getElementById('problem');
  for (const reason of box.querySelectorAll('.reason')) reason.hidden = true;
  let code = error instanceof Known ? error.message : undefined;
  let shown = code && box.querySelector(`[data-reason="${code}"]`);
  if (error instanceof Refusal) {
    shown = box.querySelector('[data-reason="*"]');
    for (const part of shown.querySelectorAll('[data-part]')) part.textContent = error.document[part.dataset.part] ?? '';
    code = error.document.code;
  }
  shown ??= box.querySelector('[data-reason="ZT-KEY-006"]');
  shown.hidden = false;
  const help = document.getElementById('help');
  if (help) help.href = help.dataset.base + (code ?? '');
  box.hidden = false;
  box.focus();
}

export function hideProblem() {
  document.getElementById('problem').hidden = true;
}

/** Says something to people who do not see the page. */
export function speak(text) {
  const spoken = document.getElementById('spoken');
  if (spoken) spoken.textContent = text;
}

export function toBytes(text) {
  const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(raw, (character) => character.charCodeAt(0));
}

export function toText(buffer) {
  let raw = '';
  for (const byte of new Uint8Array(buffer)) raw += String.fromCharCode(byte);
  return btoa(raw).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
