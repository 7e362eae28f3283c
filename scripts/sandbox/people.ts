/** The invented people of the demo: the same handle on every network. Nobody real. */
export interface DemoPerson {
  handle: string;
  name: string;
  about: string;
  page: boolean;
  since: string;
}
const fans: [string, string][] = [
  ['fan1', 'Inès Rolland'],
  ['fan2', 'Tomasz Krol'],
  ['fan3', 'Adaeze Obi'],
  ['fan4', 'Chloé Lambert'],
  ['fan5', 'Kenji Mori'],
];
const staff: [string, string][] = [
  ['moderator1', 'Noor Haddad'],
  ['moderator2', 'Eli Brandt'],
  ['moderator3', 'Sofia Lindqvist'],
  ['organiser1', 'Marc Fontaine'],
  ['admin1', 'Ada Wills'],
];
/** The invented athletes. */
export const ATHLETES: {
  handle: string;
  name: string;
  noc: string;
  country: string;
  discipline: string;
  about: string;
}[] = [
  {
    handle: 'athlete1',
    name: 'Maëlle Kervran',
    noc: 'FRA',
    country: 'France',
    discipline: 'fencing',
    about: 'Épée. Brest, puis le monde.',
  },
  {
    handle: 'athlete2',
    name: 'Serena Oliveri',
    noc: 'ITA',
    country: 'Italy',
    discipline: 'swimming',
    about: '200 m dorso. Acqua ogni giorno.',
  },
  {
    handle: 'athlete3',
    name: 'Jonas Adeyemi',
    noc: 'GBR',
    country: 'Great Britain',
    discipline: 'para-athletics',
    about: 'T54, 1500 m.',
  },
  {
    handle: 'athlete4',
    name: 'Haruka Tanabe',
    noc: 'JPN',
    country: 'Japan',
    discipline: 'judo',
    about: '-57 kg.',
  },
  {
    handle: 'athlete5',
    name: 'Nils Bergström',
    noc: 'SWE',
    country: 'Sweden',
    discipline: 'rowing',
    about: 'Single sculls. Coffee first.',
  },
  {
    handle: 'athlete6',
    name: 'Lotte Verhaegen',
    noc: 'BEL',
    country: 'Belgium',
    discipline: 'cycling',
    about: 'Road and track.',
  },
  {
    handle: 'athlete7',
    name: 'Lina Costa',
    noc: 'BRA',
    country: 'Brazil',
    discipline: 'gymnastics',
    about: 'Solo e trave.',
  },
  {
    handle: 'athlete8',
    name: 'Amani Kiprono',
    noc: 'KEN',
    country: 'Kenya',
    discipline: 'athletics',
    about: '800 m.',
  },
  {
    handle: 'athlete9',
    name: 'Chloé Darrieu',
    noc: 'FRA',
    country: 'France',
    discipline: 'rowing',
    about: 'Deux de couple, poids léger.',
  },
  {
    handle: 'athlete10',
    name: 'Idris Belkacem',
    noc: 'ALG',
    country: 'Algeria',
    discipline: 'judo',
    about: '-90 kg.',
  },
  {
    handle: 'athlete11',
    name: 'Mika Laine',
    noc: 'FIN',
    country: 'Finland',
    discipline: 'athletics',
    about: 'Javelin.',
  },
  {
    handle: 'athlete12',
    name: 'Sofia Marques',
    noc: 'POR',
    country: 'Portugal',
    discipline: 'cycling',
    about: 'BTT.',
  },
];
/** An account that imitates an athlete, for the moderators. */
export const IMPOSTOR = {
  handle: 'athlete_1',
  name: 'Maelle Kervran Official',
  about: 'Official page. Giveaways every week, message me.',
};

/** All invented people. */
export const PEOPLE: DemoPerson[] = [
  ...fans.map(([handle, name]) => ({
    handle,
    name,
    about: '',
    page: false,
    since: '2019-05-02T10:00:00.000Z',
  })),
  ...staff.map(([handle, name]) => ({
    handle,
    name,
    about: '',
    page: false,
    since: '2015-02-11T10:00:00.000Z',
  })),
  ...ATHLETES.map(({ handle, name, about }) => ({
    handle,
    name,
    about,
    page: true,
    since: '2016-08-01T10:00:00.000Z',
  })),
  {
    handle: IMPOSTOR.handle,
    name: IMPOSTOR.name,
    about: IMPOSTOR.about,
    page: false,
    since: '2026-11-12T10:00:00.000Z',
  },
];
