// Shortcuts, live figures, and the focus on what was refused. Every page works without this.
(() => {
  'use strict';
  const summary = document.getElementById('summary');
  if (summary) summary.focus();
  const refresh = Number(document.getElementById('main').dataset.refresh);
  if (refresh > 0) {
    setInterval(() => { if (!document.hidden) location.reload(); }, refresh * 1000);
  }
  const off = () => localStorage.getItem('shortcuts') === 'off';
  const button = document.getElementById('keys-switch');
  if (button) {
    const show = () => { button.textContent = off() ? 'Switch shortcuts on' : 'Switch shortcuts off'; };
    button.hidden = false;
    show();
    button.addEventListener('click', () => {
      if (off()) localStorage.removeItem('shortcuts'); else localStorage.setItem('shortcuts', 'off');
      show();
    });
  }
  const places = { o: '/', t: '/transfers', b: '/breaks', s: '/statements', d: '/days', p: '/participants', r: '/reports', a: '/audit' };
  let going = 0;
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, textarea, select');
    if (typing || event.ctrlKey || event.metaKey || event.altKey || off() || !document.querySelector('nav')) return;
    if (event.key === '/') {
      event.preventDefault();
      document.getElementById('find').focus();
    } else if (event.key === '?') {
      location.assign('/help');
    } else if (event.key === 'g') {
      going = Date.now();
    } else if (Date.now() - going < 1500 && places[event.key]) {
      going = 0;
      location.assign(places[event.key]);
    }
  });
})();
