// A throw-away self-signed certificate, so that vendors answer under their real https addresses. Made here
// because a private key does not belong into a repository, and not every machine has openssl.
import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto';

const der = (tag, ...parts) => {
  const body = Buffer.concat(parts);
  const length =
    body.length < 128 ? [body.length] : body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...parts) => der(0x30, ...parts);
const time = (date) => der(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]|\..*/g, '').slice(2)}Z`));

// ecdsa-with-SHA256, 1.2.840.10045.4.3.2
const ALGORITHM = sequence(der(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
// commonName, 2.5.4.3
const COMMON_NAME = der(0x06, Buffer.from('550403', 'hex'));
const DAY_MS = 86_400_000;

/** Key and certificate in PEM, valid from yesterday for ten days. */
export function certificate() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from('Assent tests')))));
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    // Firefox refuses a second certificate of the same number.
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ALGORITHM,
    name,
    sequence(time(new Date(Date.now() - DAY_MS)), time(new Date(Date.now() + 9 * DAY_MS))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = createSign('sha256').update(content).sign(privateKey);
  const whole = sequence(content, ALGORITHM, der(0x03, Buffer.from([0]), signature));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n`,
  };
}
