// jose as its documentation shows it: told issuer, audience and algorithm.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const { createLocalJWKSet, jwtVerify, errors } = createRequire(process.env.PACKAGES + "/")("jose");
const { ISSUER: issuer, AUDIENCE: audience } = process.env;

for await (const line of createInterface({ input: process.stdin })) {
  const { token, jwks } = JSON.parse(line);
  try {
    await jwtVerify(token, createLocalJWKSet(JSON.parse(jwks)), { issuer, audience, algorithms: ["EdDSA"] });
    console.log("taken");
  } catch (error) {
    console.log(error instanceof errors.JOSEError ? "refused" : `crashed ${error.name}`);
  }
}
