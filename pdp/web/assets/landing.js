import { ask } from './page.js';

const button = document.getElementById('sign-out');
button.addEventListener('click', async () => {
  button.disabled = true;
  try {
    await ask('/ceremony/sign-out', {});
    location.assign('/signed-out');
  } catch {
    document.getElementById('failed').hidden = false;
    button.disabled = false;
  }
});
