// The person's own page: a word against a decision, sent once.

import { ask, hideProblem, showProblem } from './page.js';

for (const form of document.querySelectorAll('form.appeal')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    hideProblem();
    const buttons = form.querySelectorAll('button');
    for (const button of buttons) button.disabled = true;
    try {
      await ask('/me/appeals', {
        decision: form.closest('[data-decision]').dataset.decision,
        kind: event.submitter.value,
        text: form.elements.text.value,
      });
      form.hidden = true;
      const done = form.nextElementSibling;
      done.hidden = false;
      done.focus();
    } catch (error) {
      showProblem(error);
      for (const button of buttons) button.disabled = false;
    }
  });
}
