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
      proxy_pass http://unix:%[4]s:;
      proxy_buffering off;
      proxy_read_timeout 1h;
      proxy_set_header Host $http_host;
      proxy_set_header %[5]s $remote_user;
    }
  }
}
`, c.run.Dir, c.listen(), c.guards(), c.socket, userHeader)
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
