module tandemcd.io/hack/lab

go 1.26.0
