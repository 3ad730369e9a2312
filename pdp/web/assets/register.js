// Registering a security key with a one-time link, whose secret sits in the
// address's fragment and is taken out of it as soon as it is spent.

import { Known, ask, hideProblem, showProblem, toBytes, toText } from './page.js';

const parts = Object.fromEntries(['loading', 'person', 'touch', 'done', 'second', 'enough'].map((id) => [id, document.getElementById(id)]));
const nickname = document.getElementById('nickname');
const switcher = document.querySelector('a[data-language]');

let secret = location.hash.slice(1);
let offer;

function keepSecret() {
  if (switcher && secret) switcher.hash = secret; // a change of language keeps the link
}

function show(id, stage) {
  for (const part of ['loading', 'person', 'touch', 'done']) parts[part].hidden = part !== id;
  for (const item of document.querySelectorAll('#stages [data-stage]')) {
    const at = Number(item.dataset.stage);
    item.toggleAttribute('data-past', at < stage || id === 'done');
    if (at === stage) item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
  }
}

function fill(container, values) {
  for (const part of container.querySelectorAll('[data-part]')) part.textContent = values[part.dataset.part] ?? '';
}

async function begin() {
  hideProblem();
  show('loading', 1);
  try {
    if (!window.PublicKeyCredential) throw new Known('ZT-KEY-005');
    if (!secret) throw new Known('ZT-KEY-030');
    offer = await ask('/ceremony/register/start', { secret });
  } catch (error) {
    parts.loading.hidden = true;
    showProblem(error);
    return;
  }
  fill(parts.person, offer);
  show('person', 1);
  nickname.focus();
}

async function create() {
  const { challenge, user, excludeCredentials = [], ...options } = offer.options;
  try {
    return await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: toBytes(challenge),
        user: { ...user, id: toBytes(user.id) },
        excludeCredentials: excludeCredentials.map((known) => ({ ...known, id: toBytes(known.id) })),
      },
    });
  } catch (error) {
    const codes = { InvalidStateError: 'ZT-KEY-002', SecurityError: 'ZT-KEY-005', NotSupportedError: 'ZT-KEY-005' };
    throw new Known(codes[error.name] ?? 'ZT-KEY-001');
  }
}

async function register() {
  hideProblem();
  show('touch', 2);
  let done;
  try {
    const credential = await create();
    done = await ask('/ceremony/register/finish', {
      nickname: nickname.value.trim(),
      credential: {
        id: credential.id,
        client_data_json: toText(credential.response.clientDataJSON),
        attestation_object: toText(credential.response.attestationObject),
        transports: credential.response.getTransports?.() ?? [],
      },
    });
  } catch (error) {
    parts.touch.hidden = true;
    showProblem(error);
    return;
  }
  secret = done.next ?? '';
  history.replaceState(null, '', location.pathname + location.search + (secret && `#${secret}`));
  if (switcher) switcher.hash = secret;
  fill(parts.done, done);
  parts.second.hidden = !done.next;
  parts.enough.hidden = Boolean(done.next);
  show('done', 3);
  parts.done.focus();
}

parts.person.addEventListener('submit', (event) => {
  event.preventDefault();
  register();
});
document.getElementById('again').addEventListener('click', begin);
document.getElementById('register-second').addEventListener('click', () => {
  nickname.value = '';
  begin();
});
keepSecret();
begin();
