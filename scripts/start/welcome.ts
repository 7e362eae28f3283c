/** What `npm start` prints when a demo hub is open. */
export const welcome = (url: string, dir: string, logs: string): string => `
Village is open: ${url}

Sign in with X or Facebook and choose who you are on the sandbox's page:
  fan1              a fan already            fan2 … fan5     meet the first page
  moderator1 … 3    verify accounts          athlete1 … 3    host chats
  organiser1, admin1

Try first: sign in as fan2 with X, open athlete1, press "Follow on X", press Follow on
the page that opens, and come back: your first point, your first medal, an open video.
Then say hello in the live chat. As moderator1, decide whose account it is: ${url}/en/moderation

Logs: ${logs}   Ctrl-C stops everything; the data stays in ${dir}
`;
