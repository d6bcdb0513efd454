# Entry points only: what each does is in infrastructure/smartcourse_dev.
.PHONY: help up down status cluster compose skaffold env check test test-full bench generate images

help up down status cluster compose skaffold env check test test-full bench generate images:
	@$$(infrastructure/bootstrap) -m smartcourse_dev $@

bench-%:
	@$$(infrastructure/bootstrap) -m smartcourse_dev $@
