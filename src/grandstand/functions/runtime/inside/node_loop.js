// The Node.js runtime: boot, wait to be told which function this is, load its handler, call it.
"use strict";

const fs = require("fs");
const net = require("net");
const path = require("path");
const { pathToFileURL } = require("url");
const { AsyncLocalStorage } = require("async_hooks");
const { Writable } = require("stream");

const KIND = { BIND: 1, INVOKE: 2, USED: 15, BOOTED: 16, READY: 17, INIT_FAILED: 18, RESULT: 19, FAILED: 20,
  STREAM_BEGAN: 21, STREAM_PIECE: 22, STREAM_ENDED: 23, STREAM_FAILED: 24 };
const HEADER_BYTES = 9;
const STREAMED = Symbol.for("aws.lambda.runtime.handler.streaming");
const HTTP_PRELUDE = "application/vnd.awslambda.http-integration-response";

const channel = new net.Socket({ fd: Number(process.env.GS_RUNTIME_CHANNEL), readable: true, writable: true });
const running = new AsyncLocalStorage();
const open = new Map();
let handler = null;
let task = "/var/task";
let latest = "undefined";

function send(kind, number, payload) {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt8(kind, 4);
  header.writeUInt32LE(number, 5);
  return channel.write(payload.length ? Buffer.concat([header, payload]) : header);
}

function sendJson(kind, number, value) {
  send(kind, number, Buffer.from(JSON.stringify(value)));
}

function sendUsed(number) {
  const used = Buffer.alloc(8);
  used.writeBigUInt64LE(BigInt(process.resourceUsage().maxRSS) * 1024n);
  send(KIND.USED, number, used);
}

function told(error) {
  if (error instanceof Error || (error && typeof error === "object" && "stack" in error && "message" in error)) {
    return { errorType: String(error.name || "Error"), errorMessage: String(error.message),
      trace: String(error.stack || "").split("\n") };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

class InitError extends Error {
  constructor(name, message, cause) {
    super(message);
    this.name = name;
    if (cause && cause.stack) this.stack = `${name}: ${message}\n${cause.stack}`;
  }
}

function format(level, values) {
  const store = running.getStore();
  const text = require("util").format(...values).replace(/\n/g, "\r");
  return `${new Date().toISOString()}\t${store ? store.requestId : latest}\t${level}\t${text}\n`;
}

function write(text) {
  let rest = Buffer.from(text);
  while (rest.length) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      if (error.code !== "EAGAIN") return; // the handler closed it
    }
  }
}

function patchConsole() {
  const levels = { log: "INFO", info: "INFO", debug: "DEBUG", warn: "WARN", error: "ERROR", trace: "TRACE" };
  for (const [name, level] of Object.entries(levels)) console[name] = (...values) => write(format(level, values));
}

class ResponseStream extends Writable {
  constructor(number) {
    super({ highWaterMark: 65536 });
    this.number = number;
    this.contentType = "application/octet-stream";
    this.began = false;
  }
  setContentType(type) {
    if (this.began) throw new Error("Cannot set the content type after the stream has begun");
    this.contentType = type;
  }
  begin() {
    if (this.began) return;
    this.began = true;
    send(KIND.STREAM_BEGAN, this.number, Buffer.from(this.contentType));
  }
  _write(piece, encoding, done) {
    this.begin();
    const bytes = Buffer.isBuffer(piece) ? piece : Buffer.from(piece, encoding);
    if (send(KIND.STREAM_PIECE, this.number, bytes)) done();
    else channel.once("drain", done);
  }
  _final(done) {
    this.begin();
    finish(this.number, KIND.STREAM_ENDED, Buffer.alloc(0));
    done();
  }
}

globalThis.awslambda = {
  streamifyResponse(wrapped) {
    wrapped[STREAMED] = true;
    return wrapped;
  },
  HttpResponseStream: {
    from(stream, metadata) {
      stream.setContentType(HTTP_PRELUDE);
      stream.write(JSON.stringify(metadata || {}));
      stream.write(Buffer.alloc(8));
      return stream;
    },
  },
};

function finish(number, kind, payload) {
  if (!open.delete(number)) return;
  sendUsed(number);
  send(kind, number, payload);
}

function fail(number, error) {
  const described = told(error);
  write(format("ERROR", ["Invoke Error ", JSON.stringify({ ...described, stack: described.trace, trace: undefined })]));
  const kind = open.get(number) && open.get(number).stream && open.get(number).stream.began
    ? KIND.STREAM_FAILED : KIND.FAILED;
  finish(number, kind, Buffer.from(JSON.stringify(described)));
}

function succeed(number, value) {
  let encoded;
  try {
    encoded = JSON.stringify(value === undefined ? null : value);
    if (encoded === undefined) encoded = "null";
  } catch (error) {
    fail(number, Object.assign(error, { name: "Runtime.MarshalError", message: `Unable to stringify response body: ${error.message}` }));
    return;
  }
  finish(number, KIND.RESULT, Buffer.from(encoded));
}

function contextOf(meta, number) {
  const state = { waits: true };
  const done = (error, value) => (error ? fail(number, error) : succeed(number, value));
  const context = {
    get callbackWaitsForEmptyEventLoop() { return state.waits; },
    set callbackWaitsForEmptyEventLoop(value) { state.waits = value; },
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: meta.arn,
    awsRequestId: meta.requestId,
    clientContext: meta.clientContext ? JSON.parse(Buffer.from(meta.clientContext, "base64").toString()) : undefined,
    identity: meta.identity || undefined,
    getRemainingTimeInMillis: () => Math.max(meta.deadlineMs - Date.now(), 0),
    done,
    succeed: (value) => succeed(number, value),
    fail: (error) => fail(number, error === undefined || error === null ? new Error("handled") : error),
  };
  return [context, state];
}

function call(number, meta, bytes) {
  latest = meta.requestId;
  if (meta.traceId) process.env._X_AMZN_TRACE_ID = meta.traceId;
  const entry = { stream: null };
  open.set(number, entry);
  running.run({ requestId: meta.requestId }, () => {
    let event;
    try {
      event = JSON.parse(bytes.length ? bytes.toString() : "null");
    } catch (error) {
      fail(number, error);
      return;
    }
    const [context, state] = contextOf(meta, number);
    try {
      if (handler[STREAMED]) {
        entry.stream = new ResponseStream(number);
        entry.stream.on("error", (error) => fail(number, error));
        Promise.resolve(handler(event, entry.stream, context)).then(
          () => { if (!entry.stream.writableEnded) entry.stream.end(); },
          (error) => fail(number, error));
        return;
      }
      const callback = (error, value) => {
        const answer = () => (error !== undefined && error !== null ? fail(number, error) : succeed(number, value));
        if (state.waits) entry.whenIdle = answer; else answer();
        if (entry.whenIdle) checkIdle(number, entry);
      };
      const result = handler(event, context, callback);
      if (result && typeof result.then === "function") {
        result.then((value) => succeed(number, value), (error) => fail(number, error));
      } else if (handler.length < 3 && !entry.whenIdle && open.has(number) && !/\b(done|succeed|fail)\b/.test(String(handler))) {
        succeed(number, result === undefined ? null : result);
      }
    } catch (error) {
      fail(number, error);
    }
  });
}

// Lambda answers a callback when the event loop is empty. What keeps it busy beside our own channel is asked of Node.
function checkIdle(number, entry) {
  const busy = process.getActiveResourcesInfo().filter((name) => name !== "PipeWrap" && name !== "TCPSocketWrap"
    && name !== "TTYWrap" && name !== "CloseReq" && name !== "Immediate");
  if (!busy.length || !open.has(number)) {
    if (open.has(number)) entry.whenIdle();
    return;
  }
  setImmediate(() => setTimeout(() => checkIdle(number, entry), 1).unref());
}

async function load(name) {
  const base = path.basename(name);
  const dot = base.indexOf(".");
  if (dot < 1 || name.includes("..")) {
    throw new InitError("Runtime.MalformedHandlerName", `Bad handler: '${name}' is not of the form module.function`);
  }
  const file = path.join(task, path.dirname(name), base.slice(0, dot));
  const found = ["", ".js", ".mjs", ".cjs"].map((end) => file + end).find((each) => fs.existsSync(each) && fs.statSync(each).isFile());
  let module;
  try {
    if (!found) {
      module = require(file); // a folder with index.js, or nothing at all
    } else if (isModule(found)) {
      module = await import(pathToFileURL(found).href);
    } else {
      module = require(found);
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw new InitError("Runtime.UserCodeSyntaxError", String(error), error);
    if (error && (error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND")) {
      throw new InitError("Runtime.ImportModuleError", `Error: ${error.message}`, error);
    }
    throw error;
  }
  let value = module;
  for (const part of base.slice(dot + 1).split(".")) value = value === undefined || value === null ? undefined : value[part];
  if (value === undefined && module.default) value = module.default[base.slice(dot + 1)];
  if (value === undefined) throw new InitError("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof value !== "function") throw new InitError("Runtime.HandlerNotFound", `${name} is not a function`);
  return value;
}

function isModule(file) {
  if (file.endsWith(".mjs")) return true;
  if (file.endsWith(".cjs")) return false;
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const described = path.join(folder, "package.json");
    if (fs.existsSync(described)) return JSON.parse(fs.readFileSync(described, "utf8")).type === "module";
    if (folder === task || folder === path.dirname(folder)) return false;
  }
}

async function bind(message) {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, message.environment);
  task = message.taskRoot || task;
  process.chdir(task);
  require("module").globalPaths.push("/opt/nodejs/node_modules");
  patchConsole();
  try {
    handler = await load(message.handler);
  } catch (error) {
    const described = told(error);
    write(format("ERROR", ["Uncaught Exception ", JSON.stringify({ ...described, stack: described.trace, trace: undefined })]));
    sendJson(KIND.INIT_FAILED, 0, described);
    return;
  }
  send(KIND.READY, 0, Buffer.alloc(0));
}

function broken(name) {
  return (error) => {
    const described = { ...told(error), errorType: name };
    if (name === "Runtime.UnhandledPromiseRejection") described.errorMessage = String(error);
    write(format("ERROR", [name, JSON.stringify({ ...described, stack: described.trace, trace: undefined })]));
    const numbers = [...open.keys()];
    for (const number of numbers) finish(number, KIND.FAILED, Buffer.from(JSON.stringify(described)));
    if (!handler && !numbers.length) sendJson(KIND.INIT_FAILED, 0, described);
    channel.end(() => process.exit(129)); // what is left of its state is not to be trusted
  };
}

process.on("uncaughtException", broken("Runtime.UncaughtException"));
process.on("unhandledRejection", broken("Runtime.UnhandledPromiseRejection"));

let buffered = Buffer.alloc(0);
channel.on("data", (data) => {
  buffered = buffered.length ? Buffer.concat([buffered, data]) : data;
  while (buffered.length >= HEADER_BYTES) {
    const end = HEADER_BYTES + buffered.readUInt32LE(0);
    if (buffered.length < end) return;
    const kind = buffered.readUInt8(4);
    const number = buffered.readUInt32LE(5);
    const payload = buffered.subarray(HEADER_BYTES, end);
    buffered = buffered.subarray(end);
    if (kind === KIND.BIND) bind(JSON.parse(payload.toString()));
    if (kind === KIND.INVOKE) {
      const length = payload.readUInt32LE(0);
      call(number, JSON.parse(payload.subarray(4, 4 + length).toString()), payload.subarray(4 + length));
    }
  }
});
channel.on("end", () => process.exit(0));
channel.on("error", () => process.exit(0));
send(KIND.BOOTED, 0, Buffer.alloc(0));
