import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';

/**
 * Encrypts tokens with AES-256-GCM. The key's id stands in front, so that keys can be rotated; the
 * owner is bound in, so that a text copied to another owner does not open (ASVS 11.3.3).
 */
export class TokenVault {
  /** @param keys the first one seals, all of them open */
  constructor(private readonly keys: { id: string; key: Buffer }[]) {}

  /** Encrypts a text for its owner. */
  seal(plain: string, owner: string): string {
    const current = this.keys[0];
    if (!current) throw new Error('no token key');
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', current.key, nonce).setAAD(Buffer.from(owner));
    const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return [
      current.id,
      nonce.toString('base64url'),
      Buffer.concat([body, cipher.getAuthTag()]).toString('base64url'),
    ].join('.');
  }

  /**
   * Decrypts a sealed text. Throws when it was changed, belongs to another owner, or its key is
   * gone.
   */
  open(sealed: string, owner: string): string {
    const [id = '', nonce = '', body = ''] = sealed.split('.');
    const key = this.keys.find((known) => known.id === id)?.key;
    if (!key) throw new Error('token key is gone');
    const bytes = Buffer.from(body, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), {
      authTagLength: 16,
    })
      .setAAD(Buffer.from(owner))
      .setAuthTag(bytes.subarray(-16));
    return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString(
      'utf8',
    );
  }
}

/** Signs documents with Ed25519 (RFC 8032), by a key made from a seed of 32 bytes. */
export class Signer {
  private readonly privateKey: KeyObject;
  private readonly publicKey: KeyObject;

  constructor(seed: Buffer) {
    // RFC 8410: the PKCS #8 wrapping of an Ed25519 seed is this fixed prefix.
    this.privateKey = createPrivateKey({
      key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
      format: 'der',
      type: 'pkcs8',
    });
    this.publicKey = createPublicKey(this.privateKey);
  }

  /** The signature of a text, as base64url. */
  sign(text: string): string {
    return sign(null, Buffer.from(text), this.privateKey).toString('base64url');
  }

  /** Whether a signature is ours, for this very text. */
  verify(text: string, signature: string): boolean {
    return verify(null, Buffer.from(text), this.publicKey, Buffer.from(signature, 'base64url'));
  }
}
