module example.test/fetch

go 1.21
