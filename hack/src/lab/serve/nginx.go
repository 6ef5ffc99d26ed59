package serve

import (
	"fmt"
	"strings"

	"tandemcd.io/hack/lab/pki"
	"tandemcd.io/hack/lab/stack"
)

// nginxConf is the configuration of one nginx in front of git http-backend.
type nginxConf struct {
	run      *stack.Run
	port     int
	socket   string
	serving  pki.Pair // empty: no TLS
	clientCA string   // empty: no client certificates
	guard    []string // directives that refuse
}

func (c *nginxConf) scheme() string {
	if c.serving.Cert != "" {
		return "https"
	}
	return "http"
}

// protect asks for a user and password, or for a bearer token.
func (c *nginxConf) protect(facts stack.Facts) error {
	user, password, bearer := c.run.Options["user"], c.run.Options["password"], c.run.Options["bearer"]
	if user != "" {
		file, err := c.run.Write("htpasswd", user+":{PLAIN}"+password+"\n")
		if err != nil {
			return err
		}
		c.guard = append(c.guard, `auth_basic "git"`, "auth_basic_user_file "+file)
		facts["user"], facts["password"] = user, password
	}
	if bearer != "" {
		c.guard = append(c.guard, fmt.Sprintf(`if ($http_authorization != "Bearer %s") { return 401; }`, bearer))
		facts["bearer"] = bearer
	}
	return nil
}

func (c *nginxConf) text() string {
	return fmt.Sprintf(`daemon off;
# One process, so that none outlives the lab.
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/log/nginx.log info;
events { worker_connections 512; }
http {
  log_format line escape=json '{"time":"$time_iso8601","method":"$request_method","uri":"$request_uri",'
    '"status":$status,"received":$request_length,"sent":$bytes_sent,"seconds":$request_time,'
    '"user":"$remote_user","userAgent":"$http_user_agent","protocol":"$http_git_protocol"}';
  access_log %[1]s/access.log line;
  client_body_temp_path %[1]s/tmp/body;
  proxy_temp_path %[1]s/tmp/proxy;
  fastcgi_temp_path %[1]s/tmp/fastcgi;
  uwsgi_temp_path %[1]s/tmp/uwsgi;
  scgi_temp_path %[1]s/tmp/scgi;
  client_max_body_size 0;
  server {
%[2]s
    location / {
%[3]s
      fastcgi_pass unix:%[4]s;
      fastcgi_buffering off;
      fastcgi_read_timeout 1h;
      fastcgi_param SCRIPT_FILENAME %[5]s;
      fastcgi_param GIT_PROJECT_ROOT %[6]s;
      fastcgi_param GIT_HTTP_EXPORT_ALL "";
      # Pushing is allowed, and so are repositories of another user.
      fastcgi_param GIT_CONFIG_COUNT 2;
      fastcgi_param GIT_CONFIG_KEY_0 http.receivepack;
      fastcgi_param GIT_CONFIG_VALUE_0 true;
      fastcgi_param GIT_CONFIG_KEY_1 safe.directory;
      fastcgi_param GIT_CONFIG_VALUE_1 *;
      fastcgi_param PATH_INFO $uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      # Without these two neither protocol v2 nor compressed requests work.
      fastcgi_param HTTP_GIT_PROTOCOL $http_git_protocol;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
    }
  }
}
`, c.run.Dir, c.listen(), c.guards(), c.socket, c.run.Options["backend"], c.run.Options["root"])
}

func (c *nginxConf) listen() string {
	if c.serving.Cert == "" {
		return fmt.Sprintf("    listen 127.0.0.1:%d;", c.port)
	}
	lines := []string{
		fmt.Sprintf("listen 127.0.0.1:%d ssl;", c.port),
		"ssl_certificate " + c.serving.Cert + ";",
		"ssl_certificate_key " + c.serving.Key + ";",
	}
	if c.clientCA != "" {
		lines = append(lines, "ssl_client_certificate "+c.clientCA+";", "ssl_verify_client on;")
	}
	return "    " + strings.Join(lines, "\n    ")
}

func (c *nginxConf) guards() string {
	var text strings.Builder
	for _, line := range c.guard {
		if !strings.HasSuffix(line, "}") {
			line += ";"
		}
		text.WriteString("      " + line + "\n")
	}
	return strings.TrimRight(text.String(), "\n")
}
