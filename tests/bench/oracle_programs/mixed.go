// Go that calls C, without end: sorting, maps, JSON, and a C function from several goroutines.
package main

/*
#include <math.h>
#cgo LDFLAGS: -lm
static double work(double x, int n) { for (int i = 0; i < n; i++) x = sin(x) + sqrt(x + i); return x; }
*/
import "C"

import (
	"encoding/json"
	"fmt"
	"sort"
)

func mix(n int) int {
	list := map[string]int{}
	for i := 0; i < n; i++ {
		list[fmt.Sprint(i*7919%n)] = i
	}
	keys := make([]string, 0, n)
	for k := range list {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	text, _ := json.Marshal(list)
	_ = json.Unmarshal(text, &list)
	return len(keys) + int(C.work(C.double(n), 20000))
}

func main() {
	done := make(chan int)
	for g := 0; g < 2; g++ {
		go func() {
			for {
				mix(500)
			}
			done <- 1
		}()
	}
	<-done
}
