module smartcourse.local/offline/tools

go 1.26.0
