// Everything that a person chooses is in `state`, which the URL's hash keeps; `show` brings the page in line with it.
// Names, questions and metadata come from outside: they are set as text, never as HTML.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($('data').textContent);
const pictures = $('pictures').textContent;
const { questions, classes, keys, labels, steps, missing } = data;
const numQuestions = questions.length;
const numImages = keys.length;

const decode = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
const yes = decode(data.answers.yes);
const mass = decode(data.answers.mass);
const expected = decode(data.answers.expected);
const suspicion = decode(data.answers.suspicion);
const threshold = Math.round(data.suspicious * steps);

const questionOfId = new Map(questions.map((question, index) => [question.id, index]));
const imageOfKey = new Map(keys.map((key, index) => [key, index]));
const className = (label) => classes[label] || (data.byFolder ? 'no folder' : 'no class');

// Numbers

const NONE = '–';
const share = (code) => (code === missing ? NONE : (code / steps).toFixed(2));
const number = (value) => (value === null ? NONE : value.toFixed(2));
const count = (value) => value.toLocaleString('en');
const isSuspicious = (code) => code !== missing && code >= threshold;
const NOT_GIVEN = 'not given';
const massOf = (question) => (data.hasLabelMass ? number(question.mass) : NOT_GIVEN);
const lowMass = (answer) => isSuspicious(suspicion[answer]) && steps - mass[answer] >= threshold;

function nameOf(code) {
  if (code === missing) return 'missing';
  const value = code / steps;
  return value > 0.6 ? 'yes' : value < 0.4 ? 'no' : 'unsure';
}

// The question whose answer about an image is the most suspicious one, the first if none is answered.
const worst = new Uint16Array(numImages);
for (let image = 0; image < numImages; image++) {
  let most = -1;
  for (let question = 0; question < numQuestions; question++) {
    const code = suspicion[image * numQuestions + question];
    if (code !== missing && code > most) {
      most = code;
      worst[image] = question;
    }
  }
}

// State

const DEFAULTS = { question: '', class: '', answer: '', suspicious: '', sort: 'suspicious', order: 'given', find: '', image: '' };
let state = readHash();

function readHash() {
  const stored = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const read = { ...DEFAULTS };
  for (const name in DEFAULTS) if (name in stored) read[name] = stored[name];
  for (const name of ['answer', 'sort', 'order']) {
    if (![...$(name).options].some((option) => option.value === read[name])) read[name] = DEFAULTS[name];
  }
  if (!questionOfId.has(read.question)) read.question = '';
  if (!imageOfKey.has(read.image)) read.image = '';
  return read;
}

function choose(changes, isStep = false) {
  state = { ...state, ...changes };
  const different = Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name]);
  // A step is one that the browser's back button undoes.
  history[isStep ? 'pushState' : 'replaceState'](null, '', `#${new URLSearchParams(different)}`);
  show();
}

const chosenQuestion = () => questionOfId.get(state.question) ?? -1;

// The answer about an image that the page is about: to the chosen question, or else the most suspicious one.
function answerAbout(image) {
  const question = chosenQuestion();
  return image * numQuestions + (question >= 0 ? question : worst[image]);
}

// Elements

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function makeBar(value, mark) {
  const bar = make('span', 'bar');
  if (value !== null) bar.style.setProperty('--yes', `${100 * value}%`);
  if (mark !== null) {
    bar.classList.add('marked');
    bar.style.setProperty('--mark-at', `${100 * mark}%`);
  }
  return bar;
}

const fraction = (code) => (code === missing ? null : code / steps);

function makePicture(image, className) {
  const start = image > 0 ? data.pictureEnds[image - 1] : 0;
  if (data.pictureEnds[image] === start) return make('div', className, 'no picture');
  const picture = make('img', className);
  picture.alt = '';
  picture.src = `data:image/webp;base64,${pictures.slice(start, data.pictureEnds[image])}`;
  return picture;
}

// Header

function makeHeader() {
  document.title = data.name;
  $('name').textContent = data.name;
  $('meta').textContent = JSON.stringify(data.meta, null, 2);
  $('folders').hidden = !data.byFolder;
  const shown = numImages < data.numImages ? `${count(numImages)} of ${count(data.numImages)}` : count(numImages);
  const facts = [
    ['', shown, data.about],
    ['', count(numQuestions), 'questions'],
    ['', count(classes.length), data.byFolder ? 'folders' : 'classes'],
    ['', count(data.numMissing), 'missing answers'],
    ['', count(data.numSuspicious), 'suspicious answers'],
    ...(data.model ? [['from', data.model, '']] : []),
    ['question hash', data.questionHash.slice(0, 12), ''],
  ];
  for (const [before, value, after] of facts) {
    const fact = make('li');
    fact.append(`${before} `, make('b', '', value), ` ${after}`);
    $('facts').append(fact);
  }
  for (const name of new Set(classes)) {
    const option = make('option');
    option.value = name;
    $('classes').append(option);
  }
}

// Questions

const questionButtons = questions.map((question, index) => {
  const button = make('button', 'question');
  button.type = 'button';
  button.title = question.kind ? `${question.id} (${question.kind})` : question.id;
  const numbers = make('span', 'numbers');
  numbers.append(
    makeBar(question.yes, null),
    make('span', '', `yes ${number(question.yes)}`),
    make('span', '', `discrim. ${number(question.discrimination)}`),
    ...(data.hasLabelMass
      ? [make('span', question.mass !== null && question.mass < 1 - data.suspicious ? 'warn' : '', `mass ${massOf(question)}`)]
      : []),
    make('span', question.suspicious ? 'warn' : '', `⚠ ${count(question.suspicious)}`),
  );
  numbers.lastChild.title = `${count(question.suspicious)} suspicious answers`;
  button.append(make('span', 'text', question.text), numbers);
  button.addEventListener('click', () => choose({ question: question.id }, true));
  return button;
});

// Of each order, what is sorted by, ascending; what is unknown comes last.
const ORDERS = {
  given: (question, index) => index,
  discrimination: (question) => -question.discrimination,
  mass: (question) => question.mass,
  yes: (question) => -question.yes,
  suspicious: (question) => -question.suspicious,
};

let listed = '';

function showQuestions() {
  const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = JSON.stringify([state.order, words]);
  if (wanted !== listed) {
    listed = wanted;
    const field = { discrimination: 'discrimination', mass: 'mass', yes: 'yes' }[state.order];
    const rank = questions.map((question, index) =>
      field && question[field] === null ? Infinity : ORDERS[state.order](question, index),
    );
    const order = [...questions.keys()]
      .filter((index) => words.every((word) => `${questions[index].id} ${questions[index].text}`.toLowerCase().includes(word)))
      .sort((a, b) => (rank[a] === rank[b] ? a - b : rank[a] - rank[b]));
    $('questions').replaceChildren(
      ...order.map((index) => {
        const item = make('li');
        item.append(questionButtons[index]);
        return item;
      }),
    );
  }
  const chosen = chosenQuestion();
  questionButtons.forEach((button, index) => button.setAttribute('aria-current', index === chosen));
  $('all').setAttribute('aria-current', chosen < 0);
  questionButtons[chosen]?.scrollIntoView({ block: 'nearest' });
}

function moveAmongQuestions(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.matches('button')) return;
  const buttons = [$('all'), ...$('questions').querySelectorAll('button')];
  const next = buttons[buttons.indexOf(event.target) + step];
  if (next) next.focus();
  event.preventDefault();
}

// Which images

function chosenClasses() {
  if (!state.class) return null;
  const exact = classes.includes(state.class);
  const text = state.class.toLowerCase();
  return classes.map((name) => (exact ? name === state.class : name.toLowerCase().includes(text)));
}

// Without a question, what is chosen about its answers waits for one.
const chosenAnswer = () => (chosenQuestion() < 0 ? '' : state.answer);
const isOfOneQuestion = (sort) => sort === 'yes' || sort === 'no';
const chosenSort = () => (chosenQuestion() < 0 && isOfOneQuestion(state.sort) ? DEFAULTS.sort : state.sort);

function chosenImages() {
  const classIsChosen = chosenClasses();
  const wanted = chosenAnswer();
  const sort = chosenSort();
  const images = [];
  for (let image = 0; image < numImages; image++) {
    const answer = answerAbout(image);
    if (classIsChosen && !classIsChosen[labels[image]]) continue;
    if (wanted && nameOf(yes[answer]) !== wanted) continue;
    if (state.suspicious && !isSuspicious(suspicion[answer])) continue;
    images.push(image);
  }
  if (sort === 'key') return images;
  const codes = sort === 'suspicious' ? suspicion : yes;
  const sign = sort === 'no' ? 1 : -1;
  const rank = (image) => {
    const code = codes[answerAbout(image)];
    return code === missing ? Infinity : sign * code;
  };
  const ranks = new Map(images.map((image) => [image, rank(image)]));
  return images.sort((a, b) => (ranks.get(a) === ranks.get(b) ? a - b : ranks.get(a) - ranks.get(b)));
}

// The grid: only the rows in view, and a few beside them, are in the document.

const CELL = { width: 174, height: 222 }; // with the gap; they grow in width to fill a row
const ROWS_BESIDE = 2;
let images = [];
let viewed = null;
let focused = 0; // place in `images` of the one that the Tab key leads to
let cards = new Map(); // by place in `images`

const numColumns = () => Math.max(1, Math.floor($('grid').clientWidth / CELL.width));

function makeCard(place) {
  const image = images[place];
  const answer = answerAbout(image);
  const name = nameOf(yes[answer]);
  const card = make('button', isSuspicious(suspicion[answer]) ? 'card suspicious' : 'card');
  card.type = 'button';
  card.title = keys[image];
  const answerText = name === 'missing' ? 'no answer' : `${name} ${share(yes[answer])}`;
  const low = lowMass(answer);
  const beside = low ? `mass ${share(mass[answer])}` : `others ${share(expected[answer])}`;
  const caption = make('span', 'caption');
  caption.append(make('span', name === 'yes' ? 'yes' : '', answerText), make('span', 'beside', beside));
  card.append(makePicture(image, 'thumbnail'), makeBar(fraction(yes[answer]), fraction(expected[answer])), caption);
  card.append(make('span', 'class', className(labels[image])));
  card.append(make('span', 'id', chosenQuestion() < 0 ? questions[worst[image]].id : keys[image]));
  card.setAttribute('aria-label', `${keys[image]}, ${className(labels[image])}: ${answerText}, ${beside}`);
  card.addEventListener('click', () => {
    focused = place;
    choose({ image: keys[image] }, true);
  });
  const item = make('li');
  item.append(card);
  return item;
}

function drawGrid() {
  const columns = numColumns();
  const rows = Math.ceil(images.length / columns);
  $('grid').style.height = `${rows * CELL.height}px`;
  const top = Math.floor($('scroller').scrollTop / CELL.height) - ROWS_BESIDE;
  const inView = Math.ceil($('scroller').clientHeight / CELL.height) + 2 * ROWS_BESIDE;
  const first = Math.max(0, top) * columns;
  const last = Math.min(images.length, Math.max(0, top + inView + 1) * columns);
  const kept = new Map();
  for (let place = first; place < last; place++) {
    const card = cards.get(place) ?? makeCard(place);
    card.style.left = `${(100 * (place % columns)) / columns}%`;
    card.style.width = `${100 / columns}%`;
    card.style.top = `${Math.floor(place / columns) * CELL.height}px`;
    card.firstChild.tabIndex = place === focused ? 0 : -1;
    card.setAttribute('aria-posinset', place + 1);
    card.setAttribute('aria-setsize', images.length);
    kept.set(place, card);
    if (!card.isConnected) $('grid').append(card);
  }
  for (const [place, card] of cards) if (!kept.has(place)) card.remove();
  cards = kept;
}

function focusImage(place) {
  focused = Math.min(Math.max(place, 0), images.length - 1);
  const top = Math.floor(focused / numColumns()) * CELL.height;
  const scroller = $('scroller');
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + CELL.height > scroller.scrollTop + scroller.clientHeight) {
    scroller.scrollTop = top + CELL.height - scroller.clientHeight;
  }
  drawGrid();
  cards.get(focused)?.firstChild.focus({ preventScroll: true });
}

function moveAmongImages(event) {
  const page = Math.max(1, Math.floor($('scroller').clientHeight / CELL.height)) * numColumns();
  const to = {
    ArrowRight: focused + 1,
    ArrowLeft: focused - 1,
    ArrowDown: focused + numColumns(),
    ArrowUp: focused - numColumns(),
    PageDown: focused + page,
    PageUp: focused - page,
    Home: 0,
    End: images.length - 1,
  }[event.key];
  if (to === undefined || !images.length) return;
  event.preventDefault();
  focusImage(to);
}

function showImages() {
  const view = JSON.stringify([state.question, state.class, state.answer, state.suspicious, state.sort]);
  if (view === viewed) return;
  viewed = view;
  images = chosenImages();
  focused = 0;
  for (const card of cards.values()) card.remove();
  cards = new Map();
  $('scroller').scrollTop = 0;
  $('none').hidden = images.length > 0;
  const suspicious = images.filter((image) => isSuspicious(suspicion[answerAbout(image)])).length;
  $('status').textContent = `${count(images.length)} of ${count(numImages)} ${data.about}, ${count(suspicious)} suspicious`;
  drawGrid();
}

function showControls() {
  const question = questions[chosenQuestion()];
  $('question').textContent = question ? question.text : 'All questions';
  $('about').textContent = question
    ? `${question.id}${question.kind ? `, ${question.kind}` : ''}: yes ${number(question.yes)}, ` +
      `discrimination ${number(question.discrimination)}, label mass ${massOf(question)}, ` +
      `${count(question.suspicious)} suspicious answers`
    : 'Each image with its most suspicious answer, and the question that it is to. Choose a question on the left.';
  for (const name of ['find', 'class']) if ($(name).value !== state[name]) $(name).value = state[name];
  $('order').value = state.order;
  $('answer').value = chosenAnswer();
  $('answer').disabled = !question;
  $('sort').value = chosenSort();
  for (const option of $('sort').options) option.disabled = !question && isOfOneQuestion(option.value);
  $('suspicious').checked = state.suspicious !== '';
}

// One image

function makeRow(image, index) {
  const answer = image * numQuestions + index;
  const row = make('tr', isSuspicious(suspicion[answer]) ? 'suspicious' : '');
  row.setAttribute('aria-current', index === chosenQuestion());
  const button = make('button');
  button.type = 'button';
  if (isSuspicious(suspicion[answer])) button.append(make('span', 'why', '⚠ '));
  button.append(questions[index].text);
  button.addEventListener('click', () => choose({ question: questions[index].id, image: '' }, true));
  const bar = make('td');
  bar.append(makeBar(fraction(yes[answer]), fraction(expected[answer])));
  const text = make('td');
  text.append(button);
  const low = lowMass(answer);
  const far = isSuspicious(suspicion[answer]) && !low;
  row.append(text, bar, make('td', '', share(yes[answer])));
  row.append(make('td', far ? 'why' : '', share(expected[answer])), make('td', low ? 'why' : '', data.hasLabelMass ? share(mass[answer]) : NOT_GIVEN));
  return row;
}

let opened = null;

function showDialog() {
  const dialog = $('dialog');
  const image = imageOfKey.get(state.image);
  if (image === undefined) {
    if (dialog.open) dialog.close();
    opened = null;
    return;
  }
  const wanted = `${image} ${state.question}`;
  if (wanted !== opened) {
    opened = wanted;
    $('picture').replaceChildren(makePicture(image, ''));
    $('key').textContent = keys[image];
    $('label').textContent = `${data.byFolder ? 'Folder' : 'Class'}: ${className(labels[image])}`;
    const reason = data.failures[keys[image]];
    $('failure').textContent = reason === undefined ? '' : `No answer: ${reason}`;
    const rank = (index) => {
      const answer = image * numQuestions + index;
      if (isSuspicious(suspicion[answer])) return 2 * steps + suspicion[answer];
      return yes[answer] === missing ? -1 : yes[answer];
    };
    const order = [...questions.keys()].sort((a, b) => rank(b) - rank(a) || a - b);
    $('answers').replaceChildren(...order.map((index) => makeRow(image, index)));
    $('answers').closest('.answers').scrollTop = 0;
  }
  const place = images.indexOf(image);
  $('before').disabled = place <= 0;
  $('after').disabled = place < 0 || place === images.length - 1;
  if (!dialog.open) dialog.showModal();
}

function moveToImage(step) {
  const place = images.indexOf(imageOfKey.get(state.image));
  const next = images[place + step];
  if (place < 0 || next === undefined) return;
  focused = place + step;
  choose({ image: keys[next] });
}

// Listeners

for (const name of ['order', 'answer', 'sort', 'find', 'class']) {
  $(name).addEventListener('input', (event) => choose({ [name]: event.target.value }));
}
$('suspicious').addEventListener('change', (event) => choose({ suspicious: event.target.checked ? '1' : '' }));
$('all').addEventListener('click', () => choose({ question: '' }, true));
$('reset').addEventListener('click', () => choose({ class: '', answer: '', suspicious: '' }));
$('questions').parentElement.addEventListener('keydown', moveAmongQuestions);
$('grid').addEventListener('keydown', moveAmongImages);
$('scroller').addEventListener('scroll', drawGrid, { passive: true });
new ResizeObserver(drawGrid).observe($('scroller'));
$('before').addEventListener('click', () => moveToImage(-1));
$('after').addEventListener('click', () => moveToImage(1));
$('close').addEventListener('click', () => $('dialog').close());
$('dialog').addEventListener('keydown', (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step) moveToImage(step);
});
$('dialog').addEventListener('click', (event) => {
  if (event.target === $('dialog')) $('dialog').close(); // on the backdrop
});
$('dialog').addEventListener('close', () => {
  if (!state.image) return;
  choose({ image: '' });
  focusImage(focused);
});
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') $('help').open = false;
});
addEventListener('popstate', () => {
  state = readHash();
  show();
});

function show() {
  showControls();
  showQuestions();
  showImages();
  showDialog();
}

makeHeader();
show();
