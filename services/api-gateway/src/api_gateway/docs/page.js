// Renders /openapi.json: one section a service, one foldable entry an operation, with a curl line and a try button.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const token = document.getElementById("token");
const filter = document.getElementById("filter");
let api = {};

/** Make an element; children are elements or text, so nothing from the document is ever read as HTML. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element[key] = value;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function dereference(schema) {
  const match = /^#\/components\/schemas\/(.+)$/.exec((schema && schema.$ref) || "");
  return match ? api.components.schemas[match[1]] || {} : schema || {};
}

function typeName(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf || schema.oneOf) return (schema.anyOf || schema.oneOf).map(typeName).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `list of ${typeName(schema.items)}`;
  return [schema.type || "any", schema.format ? `(${schema.format})` : ""].join(" ").trim();
}

/** Return an example value that fits the schema. */
function example(schema, depth = 0) {
  schema = dereference(schema);
  if (schema.examples && schema.examples.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const choices = schema.anyOf || schema.oneOf || schema.allOf;
  if (choices) return example(choices[0], depth + 1);
  if (schema.type === "array") return depth > 4 ? [] : [example(schema.items, depth + 1)];
  if (schema.type === "object" || schema.properties) {
    const properties = depth > 4 ? [] : Object.entries(schema.properties || {});
    return Object.fromEntries(properties.map(([name, value]) => [name, example(value, depth + 1)]));
  }
  if (schema.type === "integer" || schema.type === "number") return schema.minimum || 1;
  if (schema.type === "boolean") return true;
  if (schema.format === "email") return "student@example.com";
  return schema.type === "null" ? null : "text";
}

function jsonSchema(content) {
  return content && content["application/json"] ? content["application/json"].schema : null;
}

function table(head, rows) {
  if (!rows.length) return null;
  const cells = (kind, values) => make("tr", {}, ...values.map((value) => make(kind, {}, value)));
  return make("table", {}, make("thead", {}, cells("th", head)), make("tbody", {}, ...rows.map((row) => cells("td", row))));
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function fields(schema) {
  const object = dereference(schema);
  const required = object.required || [];
  return Object.entries(object.properties || {}).map(([name, value]) => [
    name, typeName(value), required.includes(name) ? "required" : "", value.description || "",
  ]);
}

/** The form of one operation: inputs for parameters and body, the curl line they make, and the answer. */
function trial(method, path, operation, parameters) {
  const inputs = new Map(parameters.map((parameter) => [parameter, make("input", { size: 14 })]));
  const requestSchema = jsonSchema((operation.requestBody || {}).content);
  const body = requestSchema ? make("textarea", { value: JSON.stringify(example(requestSchema), null, 2), spellcheck: false }) : null;
  const curl = make("pre", {});
  const answer = make("pre", { hidden: true });

  function target() {
    const query = new URLSearchParams();
    let url = path;
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value) || `{${parameter.name}}`);
      if (parameter.in === "query" && input.value) query.append(parameter.name, input.value);
    }
    return query.size ? `${url}?${query}` : url;
  }

  function draw() {
    const parts = [`curl -X ${method.toUpperCase()} ${quoted(location.origin + target())}`];
    if (operation.security) parts.push(`-H "Authorization: Bearer $TOKEN"`);
    if (body) parts.push(`-H 'Content-Type: application/json'`, `-d ${quoted(body.value)}`);
    curl.textContent = parts.join(" \\\n  ");
  }

  async function send() {
    const headers = {};
    if (token.value) headers.Authorization = `Bearer ${token.value.trim()}`;
    if (body) headers["Content-Type"] = "application/json";
    answer.hidden = false;
    answer.textContent = "…";
    try {
      const response = await fetch(target(), { method: method.toUpperCase(), headers, body: body ? body.value : undefined });
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it came */ }
      answer.textContent = `${response.status} ${response.statusText}\n${shown}`;
    } catch (error) {
      answer.textContent = String(error);
    }
  }

  for (const input of [...inputs.values(), body].filter(Boolean)) input.addEventListener("input", draw);
  const button = make("button", { type: "button" }, "Send");
  button.addEventListener("click", send);
  draw();
  const labels = [...inputs].map(([parameter, input]) => make("label", {}, `${parameter.name} `, input));
  return make("div", {}, make("h3", {}, "Try it"), ...labels, body, curl, button, answer);
}

function entry(method, path, item) {
  const operation = item[method];
  const parameters = [...(item.parameters || []), ...(operation.parameters || [])];
  const details = make("details", {}, make("summary", {},
    make("span", { className: `method ${method}` }, method.toUpperCase()),
    make("span", { className: "path" }, path),
    make("span", {}, operation.summary || ""),
    make("span", { className: "note" }, operation["x-smartcourse-access"].allow.join(", "))));
  details.addEventListener("toggle", () => {
    if (!details.open || details.dataset.filled) return;
    details.dataset.filled = "yes";
    const requestSchema = jsonSchema((operation.requestBody || {}).content);
    const parameterRows = parameters.map((p) => [p.name, p.in, typeName(p.schema), p.required ? "required" : "", p.description || ""]);
    const answers = Object.entries(operation.responses || {}).map(([status, response]) => [
      status, response.description || "", typeName(jsonSchema(response.content)) || Object.keys(response.content || {}).join(", "),
    ]);
    details.append(make("div", { className: "body" },
      ...(operation.description || "").split("\n\n").map((paragraph) => make("p", {}, paragraph)),
      parameterRows.length ? make("h3", {}, "Parameters") : null,
      table(["name", "in", "type", "", ""], parameterRows),
      requestSchema ? make("h3", {}, `Body: ${typeName(requestSchema)}`) : null,
      requestSchema ? table(["field", "type", "", ""], fields(requestSchema)) : null,
      make("h3", {}, "Answers"), table(["status", "", "type"], answers),
      trial(method, path, operation, parameters)));
  });
  details.dataset.words = `${method} ${path} ${operation.summary || ""}`.toLowerCase();
  return details;
}

function draw() {
  document.getElementById("title").textContent = api.info.title;
  document.getElementById("description").textContent = api.info.description.replaceAll("`", "");
  const sections = new Map((api.tags || []).map((tag) => [tag.name, make("section", {}, make("h2", {}, tag.name))]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const section = sections.get(item[method].tags[0]);
      section.append(entry(method, path, item));
    }
  }
  document.getElementById("operations").replaceChildren(...sections.values());
}

filter.addEventListener("input", () => {
  const wanted = filter.value.toLowerCase();
  for (const details of document.querySelectorAll("details")) details.hidden = !details.dataset.words.includes(wanted);
});

fetch("/openapi.json")
  .then((response) => { if (!response.ok) throw new Error(`/openapi.json: ${response.status}`); return response.json(); })
  .then((document_) => { api = document_; draw(); })
  .catch((error) => { document.getElementById("operations").textContent = `The description could not be loaded: ${error.message}`; });
