// Prints what GitHub's published description of its API says of the operations that Tandem uses, and of the deliveries that
// it takes: parameters, bodies and answers, as JSON Schema. Sources: the npm packages @octokit/openapi and
// @octokit/webhooks-schemas, in the versions below, which are downloaded and compared with their digests.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strings"
)

type source struct{ url, digest, file string }

var (
	api = source{
		"https://registry.npmjs.org/@octokit/openapi/-/openapi-23.0.2.tgz",
		"pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==",
		"package/generated/api.github.com.json",
	}
	hooks = source{
		"https://registry.npmjs.org/@octokit/webhooks-schemas/-/webhooks-schemas-7.6.1.tgz",
		"qW0Bwtb76r4m2WzVhKDyfEeEnt1GEQoRjkCqmq2ZeB0nNVDJ+Z2LBDS9FDPyduuMXf/ZTWiCJp9PFFHgRfBe3A==",
		"package/schema.json",
	}
)

// What is asked of GitHub.
var operations = []string{
	"GET /repos/{owner}/{repo}",
	"GET /repos/{owner}/{repo}/activity",
	"GET /repos/{owner}/{repo}/collaborators/{username}/permission",
	"GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls",
	"GET /repos/{owner}/{repo}/commits/{ref}/check-runs",
	"GET /repos/{owner}/{repo}/commits/{ref}/statuses",
	"GET /repos/{owner}/{repo}/deployments",
	"GET /repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
	"GET /repos/{owner}/{repo}/installation",
	"GET /repos/{owner}/{repo}/issues/{issue_number}/comments",
	"GET /repos/{owner}/{repo}/issues/{issue_number}/events",
	"GET /repos/{owner}/{repo}/issues/{issue_number}/timeline",
	"GET /repos/{owner}/{repo}/pulls",
	"GET /repos/{owner}/{repo}/pulls/{pull_number}",
	"GET /repos/{owner}/{repo}/pulls/{pull_number}/commits",
	"GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews",
	"GET /user",
	"PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}",
	"POST /app/installations/{installation_id}/access_tokens",
	"POST /repos/{owner}/{repo}/deployments",
	"POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
	"POST /repos/{owner}/{repo}/issues/{issue_number}/comments",
	"POST /repos/{owner}/{repo}/statuses/{sha}",
}

// What GitHub delivers.
var deliveries = []string{
	"push$event", "ping$event", "create$event", "delete$event", "pull_request$opened", "pull_request$synchronize",
	"pull_request_review$submitted",
}

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	described, err := fetch(api)
	if err != nil {
		return err
	}
	delivered, err := fetch(hooks)
	if err != nil {
		return err
	}
	found, err := reduce(described)
	if err != nil {
		return err
	}
	events := map[string]any{}
	definitions := delivered["definitions"].(map[string]any)
	taken := map[string]any{}
	for _, name := range deliveries {
		if definitions[name] == nil {
			return fmt.Errorf("no delivery %s in %s", name, hooks.url)
		}
		events[name] = map[string]any{"$ref": "#/definitions/" + name}
		take(events[name], "#/definitions/", definitions, taken)
	}
	result := map[string]any{
		"source":      []string{api.url, hooks.url},
		"license":     "MIT, https://github.com/octokit/openapi and https://github.com/octokit/webhooks",
		"operations":  found["operations"],
		"schemas":     found["schemas"],
		"deliveries":  events,
		"definitions": taken,
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(result)
}

// fetch downloads a package and reads one JSON file of it.
func fetch(from source) (map[string]any, error) {
	answer, err := http.Get(from.url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", from.url, answer.Status)
	}
	packed, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if sum := sha512.Sum512(packed); base64.StdEncoding.EncodeToString(sum[:]) != from.digest {
		return nil, fmt.Errorf("%s is not what it was: another digest", from.url)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	files := tar.NewReader(unpacked)
	for {
		header, err := files.Next()
		if err != nil {
			return nil, fmt.Errorf("%s in %s: %w", from.file, from.url, err)
		}
		if header.Name == from.file {
			var value map[string]any
			return value, json.NewDecoder(files).Decode(&value)
		}
	}
}

// reduce keeps the operations above, and the schemas that they lead to.
func reduce(described map[string]any) (map[string]any, error) {
	components := described["components"].(map[string]any)
	paths := described["paths"].(map[string]any)
	resolve := func(value any) map[string]any {
		object := value.(map[string]any)
		reference, found := object["$ref"].(string)
		for found {
			var at any = described
			for _, part := range strings.Split(strings.TrimPrefix(reference, "#/"), "/") {
				at = at.(map[string]any)[part]
			}
			object = at.(map[string]any)
			reference, found = object["$ref"].(string)
		}
		return object
	}
	schema := func(of map[string]any) any {
		content, _ := of["content"].(map[string]any)
		body, _ := content["application/json"].(map[string]any)
		return body["schema"]
	}
	all := []any{}
	schemas := map[string]any{}
	sort.Strings(operations)
	for _, operation := range operations {
		method, path, _ := strings.Cut(operation, " ")
		item, found := paths[path].(map[string]any)
		if !found {
			return nil, fmt.Errorf("no path %s", path)
		}
		said, found := item[strings.ToLower(method)].(map[string]any)
		if !found {
			return nil, fmt.Errorf("no operation %s", operation)
		}
		query := map[string]any{}
		for _, one := range said["parameters"].([]any) {
			if parameter := resolve(one); parameter["in"] == "query" {
				query[parameter["name"].(string)] = parameter["schema"]
			}
		}
		answers := map[string]any{}
		for status, one := range said["responses"].(map[string]any) {
			if strings.HasPrefix(status, "2") {
				answers[status] = schema(resolve(one))
			}
		}
		kept := map[string]any{"method": method, "path": path, "query": query, "answers": answers}
		if body, found := said["requestBody"]; found {
			kept["body"] = schema(resolve(body))
		}
		all = append(all, plain(kept))
		take(kept, "#/components/schemas/", components["schemas"].(map[string]any), schemas)
	}
	return map[string]any{"operations": all, "schemas": schemas}, nil
}

// take adds the schemas that a value leads to.
func take(value any, prefix string, from, to map[string]any) {
	switch value := value.(type) {
	case map[string]any:
		if reference, found := value["$ref"].(string); found {
			name := strings.TrimPrefix(reference, prefix)
			if _, known := to[name]; !known && from[name] != nil {
				to[name] = nil
				take(from[name], prefix, from, to)
				to[name] = plain(from[name])
			}
		}
		for _, inner := range value {
			take(inner, prefix, from, to)
		}
	case []any:
		for _, inner := range value {
			take(inner, prefix, from, to)
		}
	}
}

// plain leaves out words, and says in JSON Schema's way what OpenAPI 3.0 says in its own.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, inner := range value {
			switch key {
			case "description", "example", "examples", "title", "externalDocs", "summary", "deprecated", "x-github", "readOnly":
				// A property may have such a name; a schema's own is a text, or no schema.
				if _, schema := inner.(map[string]any); !schema || key == "example" || key == "examples" || key == "externalDocs" || key == "x-github" {
					continue
				}
			case "nullable":
				continue
			case "$ref":
				if text, isText := inner.(string); isText {
					inner = strings.Replace(text, "#/components/schemas/", "#/schemas/", 1)
				}
			}
			kept[key] = plain(inner)
		}
		if value["nullable"] == true {
			return nullable(kept)
		}
		return kept
	case []any:
		kept := make([]any, len(value))
		for at, inner := range value {
			kept[at] = plain(inner)
		}
		return kept
	}
	return value
}

func nullable(schema map[string]any) any {
	if kind, found := schema["type"].(string); found && schema["enum"] == nil && schema["anyOf"] == nil && schema["allOf"] == nil {
		schema["type"] = []any{kind, "null"}
		return schema
	}
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
}
