// Shows /openapi.json: operations by tag, their parameters, bodies and answers.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEPTH_MAX = 6;
let specification;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== undefined && child !== ""));
  return made;
}

/** Text in which `this` is code. */
function prose(text) {
  return (text ?? "").split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

function resolve(schema) {
  if (!schema?.$ref) return [schema ?? {}, undefined];
  const name = schema.$ref.split("/").pop();
  return [specification.components.schemas[name] ?? {}, name];
}

function typeName(given) {
  const [schema, name] = resolve(given);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map(typeName).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const type = [schema.type ?? "any"].flat().join(" or ");
  if (type.startsWith("array")) return `array of ${typeName(schema.items)}`;
  return type === "object" && name ? name : [type, schema.format && `(${schema.format})`].filter(Boolean).join(" ");
}

/** The members of a schema, and theirs. */
function fields(given, depth = 0, seen = []) {
  const [schema, name] = resolve(given);
  if (depth > DEPTH_MAX || (name && seen.includes(name))) return undefined;
  const path = name ? [...seen, name] : seen;
  if (schema.items) return fields(schema.items, depth, path);
  const parts = schema.allOf ?? schema.oneOf ?? schema.anyOf;
  if (parts) {
    const lists = parts.map((part) => fields(part, depth, path)).filter(Boolean);
    return lists.length ? element("div", {}, ...lists) : undefined;
  }
  if (!schema.properties) return undefined;
  const rows = Object.entries(schema.properties).map(([key, value]) => {
    const isRequired = schema.required?.includes(key);
    const [resolved] = resolve(value);
    return element(
      "li", {}, element("code", {}, key), isRequired ? element("span", { class: "required", title: "required" }, " *") : "",
      element("span", { class: "soft" }, ` ${typeName(value)} `), ...prose(value.description ?? resolved.description), fields(value, depth + 1, path),
    );
  });
  return element("ul", { class: depth ? "fields" : "fields top" }, ...rows);
}

function content(title, body) {
  return Object.entries(body?.content ?? {}).map(([kind, { schema }]) =>
    element("div", {}, element("h3", {}, `${title} `, element("span", { class: "soft" }, `${kind} · ${typeName(schema)}`)), fields(schema)),
  );
}

function parameters(operation) {
  if (!operation.parameters?.length) return undefined;
  const rows = operation.parameters.map((parameter) =>
    element(
      "li", {}, element("code", {}, parameter.name), parameter.required ? element("span", { class: "required" }, " *") : "",
      element("span", { class: "soft" }, ` ${parameter.in}, ${typeName(parameter.schema)} `), ...prose(parameter.description),
    ),
  );
  return element("div", {}, element("h3", {}, "Parameters"), element("ul", { class: "fields top" }, ...rows));
}

function details(path, method, operation) {
  const summary = operation.summary ?? operation.description?.split("\n")[0] ?? "";
  const head = element(
    "summary", {}, element("span", { class: `method ${method}` }, method), element("code", { class: "path" }, path), element("span", { class: "soft" }, ...prose(summary)),
  );
  const made = element("details", { class: "operation", id: operation.operationId }, head);
  made.dataset.text = `${method} ${path} ${operation.operationId} ${summary}`.toLowerCase();
  made.addEventListener("toggle", () => {
    if (!made.open || made.childElementCount > 1) return;
    const needs = (operation.security ?? []).flatMap(Object.keys).map((scheme) => (scheme === "key" ? "an API key" : "a session"));
    const responses = Object.entries(operation.responses ?? {}).flatMap(([status, response]) => {
      const shown = content(`Answer ${status}`, response);
      return shown.length ? shown : [element("h3", {}, `Answer ${status} `, element("span", { class: "soft" }, response.description ?? ""))];
    });
    made.append(
      element("div", { class: "body" }, element("p", {}, ...prose(operation.description)), element("p", { class: "soft" }, `Needs ${needs.join(" or ") || "nothing"}.`),
        parameters(operation) ?? "", ...content("Body", operation.requestBody), ...responses),
    );
  });
  return made;
}

function show() {
  const tags = new Map();
  for (const [path, methods] of Object.entries(specification.paths)) {
    for (const method of METHODS.filter((known) => methods[known])) {
      const tag = methods[method].tags?.[0] ?? "other";
      tags.set(tag, [...(tags.get(tag) ?? []), details(path, method, methods[method])]);
    }
  }
  const sections = [...tags].map(([tag, operations]) => element("section", {}, element("h2", {}, tag), ...operations));
  document.getElementById("about").replaceChildren(...prose(specification.info.description));
  document.getElementById("operations").replaceChildren(...sections);
  const linked = location.hash && document.getElementById(location.hash.slice(1));
  if (linked) {
    linked.open = true;
    linked.scrollIntoView();
  }
}

function filter(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("section")) {
    const operations = [...section.querySelectorAll("details.operation")];
    for (const operation of operations) operation.hidden = !words.every((word) => operation.dataset.text.includes(word));
    section.hidden = operations.every((operation) => operation.hidden);
  }
}

document.getElementById("find").addEventListener("input", (event) => filter(event.target.value));
fetch("/openapi.json")
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`status ${response.status}`))))
  .then((loaded) => {
    specification = loaded;
    show();
  })
  .catch((error) => {
    document.getElementById("operations").replaceChildren(element("p", {}, `The specification could not be loaded: ${error.message}`));
  });
