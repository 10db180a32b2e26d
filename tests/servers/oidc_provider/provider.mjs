// An OpenID Connect provider for the tests: oidc-provider over a storage of ours.
//
// oidc-provider's own: discovery, sessions, tokens, userinfo, introspection (RFC 7662), revocation (RFC 7009).
// Ours: the sign-in page without a password, `/global-token-revocation` after the Internet-Draft, and
// `/global-token-revocation-that-lies`, which says yes and does nothing.
//
// node provider.mjs '{"modules": …, "port": …, "secret": …, "bearer": …, "plain": …}'; `plain` has neither
// introspection nor global revocation, and takes client_secret_post alone.

import { pathToFileURL } from "node:url";

const given = JSON.parse(process.argv[2]);
const { default: Provider } = await import(
  pathToFileURL(`${given.modules}/oidc-provider/lib/index.js`)
);
const issuer = `http://127.0.0.1:${given.port}`;
const accounts = new Map();
const rows = new Map();

class Storage {
  constructor(model) {
    this.model = model;
  }
  async upsert(id, payload, seconds) {
    const until = seconds ? Date.now() + seconds * 1000 : Infinity;
    rows.set(`${this.model}:${id}`, { model: this.model, payload, until });
  }
  async find(id) {
    const row = rows.get(`${this.model}:${id}`);
    return row && row.until > Date.now() ? row.payload : undefined;
  }
  async findByUid(uid) {
    const found = [...rows.values()].find((row) => row.model === this.model && row.payload.uid === uid);
    return found?.payload;
  }
  async consume(id) {
    rows.get(`${this.model}:${id}`).payload.consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    rows.delete(`${this.model}:${id}`);
  }
  async revokeByGrantId(grantId) {
    endAll((row) => row.model === this.model && row.payload.grantId === grantId);
  }
}

function endAll(belongs) {
  for (const [key, row] of rows) if (belongs(row)) rows.delete(key);
}

const app = {
  client_secret: given.secret,
  grant_types: ["authorization_code", "refresh_token"],
  redirect_uris: ["https://app.firm.test/back"],
};
const machine = { client_secret: given.secret, grant_types: [], response_types: [], redirect_uris: [] };
const method = given.plain ? "client_secret_post" : "client_secret_basic";

const provider = new Provider(issuer, {
  adapter: Storage,
  clients: [
    { client_id: "app", ...app },
    { client_id: "partwell", ...machine },
    { client_id: "stranger", ...machine },
  ].map((client) => ({ ...client, token_endpoint_auth_method: method })),
  clientAuthMethods: [method],
  claims: { openid: ["sub"], email: ["email"] },
  cookies: { keys: [given.secret] },
  discovery: given.plain ? {} : { global_token_revocation_endpoint: `${issuer}/global-token-revocation` },
  // Tokens outlive the session, so that the end of one does not stand for the end of the other.
  expiresWithSession: () => false,
  features: {
    devInteractions: { enabled: false },
    introspection: {
      enabled: !given.plain,
      allowedPolicy: (ctx, client) => client.clientId !== "stranger",
    },
    revocation: { enabled: true },
  },
  findAccount: (ctx, sub) =>
    accounts.has(sub) ? { accountId: sub, claims: () => ({ sub, email: accounts.get(sub) }) } : undefined,
  interactions: { url: (ctx, interaction) => `/sign-in/${interaction.uid}` },
  issueRefreshToken: () => true,
  // A session alone lets into the application, also when a grant that it had was revoked.
  async loadExistingGrant({ oidc }) {
    const known = oidc.session.grantIdFor(oidc.client.clientId);
    const existing = known && (await provider.Grant.find(known));
    if (existing) return existing;
    const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid email");
    await grant.save();
    return grant;
  },
  pkce: { required: () => false },
  rotateRefreshToken: true,
  ttl: Object.fromEntries(
    ["AccessToken", "AuthorizationCode", "Grant", "IdToken", "Interaction", "RefreshToken", "Session"].map(
      (name) => [name, 3600],
    ),
  ),
});

async function bodyOf(ctx) {
  const parts = [];
  for await (const part of ctx.req) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function signIn(ctx) {
  if (ctx.method === "GET") {
    ctx.body = "<h1>Sign in</h1>";
    return;
  }
  const sub = new URLSearchParams(await bodyOf(ctx)).get("sub");
  accounts.set(sub, `${sub}@firm.test`);
  ctx.respond = false;
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: sub } });
}

function mayRevoke(ctx) {
  const basic = Buffer.from(`partwell:${given.secret}`).toString("base64");
  return [`Basic ${basic}`, `Bearer ${given.bearer}`].includes(ctx.get("authorization"));
}

function subjectOf(subject) {
  if (subject?.format === "email") return [...accounts].find(([, email]) => email === subject.email)?.[0] ?? "";
  if (subject?.format === "opaque") return subject.id;
  if (subject?.format === "iss_sub") return subject.iss === issuer ? subject.sub : "";
  return undefined;
}

async function revokeAll(ctx, { lies }) {
  if (ctx.method !== "POST") return ctx.throw(405);
  if (!mayRevoke(ctx)) return void (ctx.status = 401);
  const sub = subjectOf(JSON.parse(await bodyOf(ctx)).sub_id);
  if (sub === undefined) return void (ctx.status = 400);
  if (!accounts.has(sub)) return void (ctx.status = 404);
  if (!lies) endAll((row) => row.payload.accountId === sub);
  ctx.status = 204;
}

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith("/sign-in/")) return signIn(ctx);
  if (!given.plain && ctx.path === "/global-token-revocation") return revokeAll(ctx, { lies: false });
  if (!given.plain && ctx.path === "/global-token-revocation-that-lies") return revokeAll(ctx, { lies: true });
  return next();
});

provider.listen(given.port, "127.0.0.1");
