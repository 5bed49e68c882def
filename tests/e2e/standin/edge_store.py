# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the stand-in of Edge's Management Server keeps: organisations, environments, and in them target servers, references,
# keystores, virtual hosts and deployments. Changes are kept in DIR/edge.json, in the shapes that Edge's API answers with:
#
#   {ORG: {ENV: {"targetservers": {NAME: {...}}, "references": {NAME: {...}}, "keystores": {NAME: {ALIAS: PEM}},
#                "virtualhosts": {NAME: {...}}, "servers": [UUID], "deployments": [{"proxy", "revision", "state", "server": [...],
#                                                        "files": {PATH: TEXT}}]}}}

import io, json, os, threading, zipfile, xml.etree.ElementTree

KINDS = {"targetservers": "TargetServer", "references": "ResourceReference", "virtualhosts": "VirtualHost"}
LIMIT = {"targetservers": 500}


class Refusal(Exception):
    def __init__(self, status, code, message):
        self.status, self.body = status, {"code": code, "message": message, "contexts": []}


def absent(kind, name, env):
    return Refusal(404, f"messaging.config.beans.{kind}DoesNotExist", f"{kind} {name} does not exist in environment {env}")


def boolean(text):
    return text.strip().lower() == "true"


def element_to_ssl(element):
    ssl = {}
    for child in element:
        key = child.tag[0].lower() + child.tag[1:]
        if key in ("protocols", "ciphers"):
            ssl[key] = [e.text for e in child]
        elif key == "ignoreValidationErrors":
            ssl[key] = boolean(child.text)
        else:
            ssl[key] = child.text  # "true" stays a string, as Edge has it
    return ssl


def element_to_target(root):
    target = {"name": root.get("name"), "isEnabled": True}
    for child in root:
        if child.tag == "Host":
            target["host"] = child.text
        elif child.tag == "Port":
            target["port"] = int(child.text)
        elif child.tag == "IsEnabled":
            target["isEnabled"] = boolean(child.text)
        elif child.tag == "Description":
            target["description"] = child.text
        elif child.tag == "SSLInfo":
            target["sSLInfo"] = element_to_ssl(child)
        else:
            raise Refusal(400, "messaging.config.beans.InvalidElement", f"unknown element {child.tag}")
    return target


def target_to_xml(t):
    root = xml.etree.ElementTree.Element("TargetServer", name=t["name"])
    for tag, key in (("Host", "host"), ("Port", "port"), ("IsEnabled", "isEnabled")):
        value = t.get(key)
        xml.etree.ElementTree.SubElement(root, tag).text = str(value).lower() if isinstance(value, bool) else str(value)
    if "description" in t:
        xml.etree.ElementTree.SubElement(root, "Description").text = t["description"]
    if "sSLInfo" in t:
        ssl = xml.etree.ElementTree.SubElement(root, "SSLInfo")
        for key, value in t["sSLInfo"].items():
            child = xml.etree.ElementTree.SubElement(ssl, key[0].upper() + key[1:])
            if isinstance(value, list):
                for v in value:
                    xml.etree.ElementTree.SubElement(child, child.tag.rstrip("s")).text = v
            else:
                child.text = str(value).lower() if isinstance(value, bool) else str(value)
    return b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + xml.etree.ElementTree.tostring(root)


def read_body(body, kind):
    """An object of JSON, or a TargetServer of XML."""
    try:
        if kind.startswith("text/xml") or kind.startswith("application/xml"):
            return element_to_target(xml.etree.ElementTree.fromstring(body))
        return json.loads(body)
    except (ValueError, xml.etree.ElementTree.ParseError) as e:
        raise Refusal(400, "messaging.config.beans.InvalidPayload", str(e))


class Store:
    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()

    def load(self):
        try:
            with open(self.path) as f:
                return json.load(f)
        except FileNotFoundError:
            return {}

    def save(self, orgs):
        with open(self.path + ".new", "w") as f:
            json.dump(orgs, f, indent=1)
        os.rename(self.path + ".new", self.path)

    def ask(self, method, parts, body=None, kind=""):
        """Returns status, answer: a dict or list, or bytes that are PEM."""
        with self.lock:
            orgs = self.load()
            answer = self.route(orgs, method, parts, body, kind)
            if method != "GET":
                self.save(orgs)
            return answer

    def route(self, orgs, method, parts, body, kind):
        if not parts:
            return 200, sorted(orgs)
        org = orgs.get(parts[0])
        if org is None:
            raise Refusal(404, "messaging.config.beans.OrganizationDoesNotExist", f"Organization {parts[0]} does not exist")
        if len(parts) == 1:
            return 200, {"name": parts[0], "environments": sorted(org)}
        if parts[1] == "apis" and len(parts) == 5 and parts[3] == "revisions":
            return self.bundle(org, parts[2], parts[4])
        if parts[1] == "apis" and len(parts) == 6 and parts[3] == "revisions" and parts[5] == "deployments":
            return self.of_revision(parts[0], org, parts[2], parts[4])
        if parts[1] not in ("e", "environments"):
            raise Refusal(404, "NotFound", "no such resource")
        if len(parts) == 2:
            return 200, sorted(org)
        env = org.get(parts[2])
        if env is None:
            raise Refusal(404, "messaging.config.beans.EnvironmentDoesNotExist", f"Environment {parts[2]} does not exist in organization {parts[0]}")
        return self.within(parts[0], parts[2], env, method, parts[3:], body, kind)

    def within(self, org, name, env, method, parts, body, kind):
        if not parts:
            return 200, {"name": name, "properties": {"property": []}}
        if parts[0] in KINDS:
            return self.things(name, env.setdefault(parts[0], {}), parts, method, body, kind)
        if parts[0] == "keystores":
            return self.keystores(name, env.setdefault("keystores", {}), parts[1:])
        if parts[0] == "servers":
            return 200, env.get("servers", [])
        if parts == ["deployments"]:
            return 200, self.of_environment(org, name, env)
        if parts[0] == "apis" and len(parts) == 3 and parts[2] == "deployments":
            rows = [self.revision(d) for d in env.get("deployments", []) if d["proxy"] == parts[1]]
            return 200, {"aPIProxy": parts[1], "environment": name, "organization": org, "revision": rows}
        if parts[0] == "apis" and len(parts) == 5 and parts[4] == "deployments" and method == "POST":
            return self.deploy(org, name, env, parts[1], parts[3])
        raise Refusal(404, "NotFound", "no such resource")

    def things(self, env, things, parts, method, body, kind):
        word = KINDS[parts[0]]
        if len(parts) == 1 and method == "GET":
            return 200, list(things)
        if len(parts) == 1 and method == "POST":
            thing = read_body(body, kind)
            if thing.get("name") in things:
                raise Refusal(409, f"messaging.config.beans.{word}AlreadyExists", f"{word} {thing['name']} already exists in environment {env}")
            if len(things) >= LIMIT.get(parts[0], 10**6):
                raise Refusal(400, "messaging.config.beans.LimitExceeded", f"more than {LIMIT[parts[0]]} are not possible")
            things[thing["name"]] = thing
            return 201, thing
        if len(parts) != 2 or parts[1] not in things:
            raise absent(word, parts[1] if len(parts) > 1 else "", env)
        if method == "PUT":
            thing = read_body(body, kind)
            if thing.get("name", parts[1]) != parts[1]:
                raise Refusal(400, "messaging.config.beans.NameMismatch", "the name is another one")
            things[parts[1]] = dict(thing, name=parts[1])  # the whole object: what is not there is gone
            return 200, things[parts[1]]
        if method == "DELETE":
            return 200, things.pop(parts[1])
        return 200, things[parts[1]]

    def keystores(self, env, stores, parts):
        if not parts:
            return 200, sorted(stores)
        if parts[0] not in stores:
            raise absent("KeyStore", parts[0], env)
        store = stores[parts[0]]
        if len(parts) == 1:
            return 200, {"certs": sorted(store), "keys": sorted(store), "name": parts[0]}
        if len(parts) == 2 and parts[1] in ("aliases", "certs"):
            return 200, sorted(store)
        if len(parts) == 4 and (parts[1], parts[3]) in (("aliases", "certificate"), ("certs", "export")) and parts[2] in store:
            return 200, store[parts[2]].encode()
        raise absent("Alias", parts[2] if len(parts) > 2 else "", env)

    # ---- what a revision is made of: "files" of its deployment, as the zip that ?format=bundle gives

    def bundle(self, envs, proxy, revision):
        for env in envs.values():
            for d in env.get("deployments", []):
                if d["proxy"] == proxy and d["revision"] == revision and "files" in d:
                    out = io.BytesIO()
                    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
                        for name, text in d["files"].items():
                            z.writestr(name, text)
                    return 200, out.getvalue()
        raise Refusal(404, "messaging.config.beans.ApplicationRevisionDoesNotExist", f"APIProxy revision {revision} does not exist in {proxy}")

    # ---- the three shapes of deployments

    def revision(self, d):
        return {"configuration": {"basePath": "/", "steps": []}, "name": d["revision"], "server": d["server"], "state": d["state"]}

    def of_environment(self, org, name, env):
        proxies = {}
        for d in env.get("deployments", []):
            proxies.setdefault(d["proxy"], []).append(self.revision(d))
        return {"aPIProxy": [{"name": p, "revision": r} for p, r in proxies.items()], "name": name, "organization": org}

    def of_revision(self, org, envs, proxy, revision):
        rows = [dict(self.revision(d), name=name) for name, env in envs.items() for d in env.get("deployments", [])
                if d["proxy"] == proxy and d["revision"] == revision]
        return 200, {"aPIProxy": proxy, "environment": rows, "name": revision, "organization": org}

    def deploy(self, org, name, env, proxy, revision):
        row = {"proxy": proxy, "revision": revision, "state": "deployed",
               "server": [{"status": "deployed", "type": ["message-processor"], "uUID": u} for u in env.get("servers", [])]}
        env["deployments"] = [d for d in env.get("deployments", []) if d["proxy"] != proxy] + [row]
        return 200, {"aPIProxy": proxy, "environment": name, "name": revision, "organization": org,
                     "revision": revision, "server": row["server"], "state": "deployed"}
