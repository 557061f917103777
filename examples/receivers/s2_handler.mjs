// A receiver for Node without packages: checks X-Webhook-Signature over the raw body and reads eventId, eventType, timestamp, data.
//
//   WEBHOOK_SECRET=whsec_… node s2_handler.mjs 9002

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.env.WEBHOOK_SECRET ?? "";
const port = Number(process.argv[2] ?? 9002);

function isGenuine(body, signature) {
  const expected = Buffer.from("sha256=" + createHmac("sha256", secret).update(body).digest("hex"));
  const given = Buffer.from(signature ?? "");
  // timingSafeEqual throws when the lengths differ, so they are compared first.
  return secret !== "" && given.length === expected.length && timingSafeEqual(given, expected);
}

function answer(response, status, value) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(value));
}

createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    if (!isGenuine(body, request.headers["x-webhook-signature"])) {
      answer(response, 401, { error: "Unauthorized" });
      return;
    }
    const { eventId, eventType, timestamp, data } = JSON.parse(body);
    console.log(eventId, eventType, timestamp, JSON.stringify(data));
    answer(response, 200, { status: "received" });
  });
}).listen(port, "127.0.0.1");
