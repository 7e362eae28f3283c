/**
 * The bare limits that every figure stands beside: express alone, socket.io alone. A process of its
 * own, like the hub.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { Server } from 'socket.io';

const app = express();
app.disable('x-powered-by');
app.use(express.json());
app.get('/', (_req, res) => {
  res.send('hello');
});
app.post('/', (_req, res) => {
  res.json({ ok: true });
});
const server = createServer(app);
const io = new Server(server, { transports: ['websocket'], serveClient: false });
io.on('connection', (socket) => {
  void socket.join('room');
  socket.on('say', (text: string) => {
    io.to('room').emit('said', text);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({
    ready: true,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
});
process.once('disconnect', () => process.exit(0));
