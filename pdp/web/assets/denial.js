// Check again: the agent measures, the PDP decides, and the page shows what
// truly happened last (the protocol is in the package document of pdp/web).

import { Known, Refusal, ask, hideProblem, showProblem, speak } from './page.js';

const box = document.getElementById('check');
const button = document.getElementById('check-again');
const stages = document.getElementById('stages');
const order = ['sent', 'measuring', 'deciding', 'result'];
const patience = 60_000;
const pause = 700;
const checkedBefore = 'menshen-checked';

function show(stage) {
  const at = order.indexOf(stage);
  stages.hidden = false;
  for (const item of stages.children) {
    const here = order.indexOf(item.dataset.stage);
    item.toggleAttribute('data-past', here < at);
    if (here === at) {
      if (!item.hasAttribute('aria-current')) speak(item.lastChild.textContent);
      item.setAttribute('aria-current', 'step');
    } else item.removeAttribute('aria-current');
  }
}

function result(name) {
  const line = box.querySelector(`[data-result="${name}"]`);
  line.hidden = false;
  return line;
}

const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

async function outcome() {
  const deadline = Date.now() + patience;
  const { id } = await ask('/.menshen/check', {});
  show('sent');
  for (;;) {
    if (Date.now() > deadline) throw new Known('ZT-AGT-003');
    await wait(pause);
    const answer = await ask(`/.menshen/check/${encodeURIComponent(id)}`);
    if (order.includes(answer.stage)) show(answer.stage);
    if (answer.stage === 'result') return answer.allowed === true;
  }
}

async function check() {
  hideProblem();
  for (const line of box.querySelectorAll('[data-result]')) line.hidden = true;
  button.disabled = true;
  try {
    if (await outcome()) {
      result('allowed');
      button.hidden = true;
      const onward = document.getElementById('continue');
      onward.hidden = false;
      onward.focus();
      return;
    }
    sessionStorage.setItem(checkedBefore, '1');
    location.replace(box.dataset.continue); // shows the new list; never posts a form a second time
  } catch (error) {
    stages.hidden = true;
    const onward = error instanceof Refusal ? error.document.sign_in : undefined;
    if (onward?.startsWith(`${location.origin}/`)) {
      const link = document.getElementById('sign-in-again');
      link.href = onward;
      link.hidden = false;
    }
    showProblem(error);
  }
  button.disabled = false;
}

if (button) {
  button.addEventListener('click', check);
  if (sessionStorage.getItem(checkedBefore)) {
    sessionStorage.removeItem(checkedBefore);
    result('denied').focus();
  }
}
