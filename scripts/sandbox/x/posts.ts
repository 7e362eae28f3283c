import { listOf, textOf } from '../query.js';
import type { Post } from '../records.js';
import type { World } from '../world.js';
import type { Access, AddCall } from './calls.js';
import { answerOf, missing, pageOf, tweetOf } from './objects.js';
import { usersOf } from './users.js';

const READ: Access = { tokens: 'any', scope: 'tweet.read' };

/** Adds the calls about posts and who likes them. */
export function posts(addCall: AddCall, world: World): void {
  const find = (id: string): Post | undefined =>
    world.posts.find((post) => post.network === 'x' && post.id === id);
  const tweets = (found: Post[]): object[] => found.map((post) => tweetOf(world, post));

  addCall('/2/users/:id/liked_tweets', { tokens: 'user', scope: 'like.read' }, (req, res) => {
    const { part, meta } = pageOf(req, world.likedPosts('x', textOf(req.params['id'])), 100);
    const liked = part.map(find).filter((post) => post !== undefined);
    // An empty page of likes that lead nowhere is a page all the same.
    res.json({ ...(part.length > 0 ? { data: tweets(liked) } : {}), meta });
  });
  addCall(
    '/2/tweets/:id/liking_users',
    { tokens: 'any', scope: 'like.read' },
    (req, res, grant) => {
      const { part, meta } = pageOf(req, world.likers('x', textOf(req.params['id'])), 100);
      res.json({ ...answerOf(usersOf(world, part, req, grant)), meta });
    },
  );
  addCall('/2/users/:id/tweets', READ, (req, res) => {
    const id = textOf(req.params['id']);
    if (!world.byX(id)) {
      res.json({ errors: [missing('user', 'id', id)] });
      return;
    }
    const since = textOf(req.query['since_id']);
    const all = world.postsBy('x', id).filter((post) => !since || BigInt(post.id) > BigInt(since));
    const { part, meta } = pageOf(req, all, 100);
    const [newest, oldest] = [part[0], part.at(-1)];
    res.json({
      ...answerOf(tweets(part)),
      meta: { ...meta, ...(newest ? { newest_id: newest.id, oldest_id: oldest?.id } : {}) },
    });
  });
  addCall('/2/tweets', READ, (req, res) => {
    const data: Post[] = [];
    const errors: object[] = [];
    for (const id of listOf(req.query['ids'])) {
      const post = find(id);
      if (post) data.push(post);
      else errors.push(missing('tweet', 'ids', id));
    }
    res.json(answerOf(tweets(data), errors));
  });
}

/** Adds the call of a single post; after the streams, whose addresses would be taken for its id. */
export function singlePost(addCall: AddCall, world: World): void {
  addCall('/2/tweets/:id', READ, (req, res) => {
    const id = textOf(req.params['id']);
    const post = world.posts.find((each) => each.network === 'x' && each.id === id);
    res.json(post ? { data: tweetOf(world, post) } : { errors: [missing('tweet', 'id', id)] });
  });
}
