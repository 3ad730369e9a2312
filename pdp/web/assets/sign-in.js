// The sign-in: key, laptop, situation. Nothing here proves anything: the
// server and the agent do.

import { Known, Refusal, ask, hideProblem, language, showProblem, speak, toBytes, toText } from './page.js';

const box = document.getElementById('sign-in');
const handle = box.dataset.handle;
const useKey = document.getElementById('use-key');
const again = document.getElementById('again');
const agentPatience = 60_000; // the browser may first ask the person

let ceremony;
let startedAt = 0;
let failedAt = 'key';

function step(id, state, person) {
  const item = document.getElementById(`step-${id}`);
  item.dataset.state = state === 'kept' ? 'done' : state;
  for (const part of item.querySelectorAll('[data-for]')) {
    const badge = part.classList.contains('state');
    part.hidden = part.dataset.for !== (badge ? item.dataset.state : state);
    if (!part.hidden && person) part.textContent = part.textContent.replace('{person}', person);
  }
  const heading = item.querySelector('h2').innerText;
  speak(heading);
}

async function start() {
  ceremony = await ask('/ceremony/sign-in/start', { handle });
  startedAt = Date.now();
}

function fresh() {
  return ceremony && Date.now() - startedAt < (ceremony.expires_in_seconds - 60) * 1000;
}

async function proveKey() {
  if (!window.PublicKeyCredential) throw new Known('ZT-KEY-005');
  if (!fresh()) await start();
  if (!ceremony.key_needed) return step('key', 'kept', ceremony.person);
  step('key', 'work');
  const { challenge, ...options } = ceremony.options;
  ceremony.used = true;
  let credential;
  try {
    credential = await navigator.credentials.get({ publicKey: { ...options, challenge: toBytes(challenge) } });
  } catch (error) {
    throw new Known(error.name === 'SecurityError' || error.name === 'NotSupportedError' ? 'ZT-KEY-005' : 'ZT-KEY-001');
  }
  const { person } = await ask('/ceremony/sign-in/key', {
    credential: {
      id: credential.id,
      client_data_json: toText(credential.response.clientDataJSON),
      authenticator_data: toText(credential.response.authenticatorData),
      signature: toText(credential.response.signature),
      user_handle: toText(credential.response.userHandle ?? new ArrayBuffer(0)),
    },
    zone_minutes: -new Date().getTimezoneOffset(),
  });
  step('key', 'done', person);
}

async function loopbackDenied() {
  for (const name of ['loopback-network', 'local-network-access']) {
    try {
      const { state } = await navigator.permissions.query({ name });
      if (state === 'denied') return true;
    } catch {
      // This browser does not know the name.
    }
  }
  return false;
}

async function askAgent() {
  let answer;
  try {
    answer = await fetch(`http://127.0.0.1:${box.dataset.port}/v1/confirm`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Menshen-Ceremony': '1', 'Accept-Language': language },
      body: JSON.stringify({ nonce: ceremony.device_nonce }),
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(agentPatience),
    });
  } catch {
    throw new Known(await loopbackDenied() ? 'ZT-KEY-051' : 'ZT-KEY-050');
  }
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw document.code ? new Refusal(document) : new Known('ZT-KEY-050');
  return document.return_code;
}

async function proveDevice() {
  step('device', 'work');
  const returnCode = await askAgent();
  const { redirect } = await ask('/ceremony/sign-in/device', { handle, return_code: returnCode });
  step('device', 'done');
  step('situation', 'work');
  location.replace(redirect);
}

async function run() {
  hideProblem();
  useKey.hidden = true;
  try {
    failedAt = 'key';
    await proveKey();
    failedAt = 'device';
    await proveDevice();
  } catch (error) {
    step(failedAt, 'fail');
    showProblem(error);
    ceremony = undefined; // a new try is a new ceremony; a proven key stays proven
  }
}

async function begin() {
  hideProblem();
  try {
    await start();
  } catch (error) {
    step('key', 'fail');
    showProblem(error);
    return;
  }
  if (!ceremony.key_needed) return run();
  step('key', 'wait');
  useKey.hidden = false;
  useKey.focus();
}

useKey.addEventListener('click', run);
again.addEventListener('click', () => {
  for (const id of ['key', 'device', 'situation']) step(id, 'wait');
  run();
});
begin();
