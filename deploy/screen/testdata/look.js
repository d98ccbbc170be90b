// What a state of the page does wrong, as a list of sentences. It follows WCAG 2.2: 1.4.3, 1.4.10, 1.4.11, 2.4.7,
// 2.5.8, 3.1.1, 3.3.2, 4.1.2.
(() => {
  const faults = [];
  const root = document.querySelector('dialog[open]') || document.body;
  const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getBoundingClientRect().width > 0;
  const say = (e) => '<' + e.localName + (e.id ? '#' + e.id : '') + (e.className ? '.' + e.className : '') + '> "' + (e.textContent || e.value || '').trim().slice(0, 30) + '"';

  const parse = (c) => {
    const m = c.match(/[\d.]+/g).map(Number);
    return { r: m[0], g: m[1], b: m[2], a: m.length > 3 ? m[3] : 1 };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1,
  });
  const canvas = matchMedia('(prefers-color-scheme: dark)').matches ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 };
  const ground = (e) => {
    const layers = [];
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.a > 0) layers.push(c);
      if (c.a === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), canvas);
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };

  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((x) => x === id).length > 1) faults.push('id ' + id + ' is there twice');
  if (!document.documentElement.lang) faults.push('the page has no lang');
  if (!document.title) faults.push('the page has no title');
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) faults.push('the page is ' + wide + ' px wider than the screen');

  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    const e = n.parentElement;
    if (!n.data.trim() || !shown(e) || e.closest('.unseen, option, script, style')) continue;
    const s = getComputedStyle(e);
    const back = ground(e);
    const size = parseFloat(s.fontSize);
    const need = size >= 24 || (size >= 18.66 && Number(s.fontWeight) >= 700) ? 3 : 4.5;
    const has = contrast(over(parse(s.color), back), back);
    if (has < need) faults.push(say(e) + ' has a contrast of ' + has.toFixed(2) + ', needs ' + need);
    if (size < 12) faults.push(say(e) + ' is written in ' + size + ' px');
  }

  for (const e of root.querySelectorAll('button, input, select, textarea, a[href], [tabindex]')) {
    if (!shown(e)) continue;
    const labels = [...(e.labels || [])].map((l) => l.textContent.trim()).join(' ');
    const by = (e.getAttribute('aria-labelledby') || '').split(' ').map((id) => document.getElementById(id)?.textContent || '').join('');
    const own = e.matches('button, a') ? e.textContent.trim() : '';
    if (!(e.getAttribute('aria-label') || by || labels || own)) faults.push(say(e) + ' has no name');
    for (const key of ['aria-labelledby', 'aria-describedby']) {
      for (const id of (e.getAttribute(key) || '').split(' ').filter(Boolean)) if (!document.getElementById(id)) faults.push(say(e) + ' refers to nothing called ' + id);
    }
    if (!e.matches('button, input, select, a')) continue;
    const r = e.getBoundingClientRect();
    if (r.width < 44 || r.height < 43.5) faults.push(say(e) + ' is ' + r.width.toFixed(0) + ' x ' + r.height.toFixed(0) + ' px: too small to touch');
    if (e.scrollWidth > e.clientWidth + 1 && e.localName === 'button') faults.push(say(e) + ' does not hold its text');
    const x = r.left + r.width / 2, y = r.top + r.height / 2;
    if (x > 0 && y > 0 && x < document.documentElement.clientWidth && y < document.documentElement.clientHeight - 1) {
      let clipped = false;
      for (let p = e.parentElement; p; p = p.parentElement) {
        const q = p.getBoundingClientRect();
        if (getComputedStyle(p).overflowY !== 'visible' && (y < q.top || y > q.bottom)) clipped = true;
      }
      const top = document.elementFromPoint(x, y);
      if (!clipped && top !== e && !e.contains(top)) faults.push(say(e) + ' lies under ' + (top ? say(top) : 'nothing'));
    }
    const s = getComputedStyle(e);
    if (e.matches('input, select') || (e.matches('button') && s.borderTopWidth !== '0px')) {
      const outside = ground(e.parentElement);
      const best = Math.max(contrast(over(parse(s.borderTopColor), outside), outside), contrast(ground(e), outside));
      if (best < 3) faults.push(say(e) + ' stands out by ' + best.toFixed(2) + ' only');
    }
  }

  const f = document.activeElement;
  if (!f || f === document.body || (root !== document.body && !root.contains(f))) faults.push('nothing has the focus');
  else if (f.matches(':focus-visible')) {
    const s = getComputedStyle(f);
    if (s.outlineStyle === 'none' || parseFloat(s.outlineWidth) < 2) faults.push(say(f) + ' has the focus and does not show it');
  }
  return faults;
})()
