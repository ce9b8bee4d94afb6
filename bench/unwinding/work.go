// Go has its unwind tables in .debug_frame.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"sort"
	"sync"
)

//go:noinline
func fibonacci(n int) int {
	if n < 2 {
		return n
	}
	return fibonacci(n-1) + fibonacci(n-2)
}

func work() {
	for round := 0; round < 25; round++ {
		fibonacci(25)
		numbers := make([]int, 30000)
		for i := range numbers {
			numbers[i] = i * 7919 % 30011
		}
		sort.Ints(numbers)
		sha256.Sum256(make([]byte, 200000))
		text, _ := json.Marshal(numbers)
		os.WriteFile("/dev/null", text, 0600)
	}
}

func main() {
	var group sync.WaitGroup
	for i := 0; i < 3; i++ {
		group.Add(1)
		go func() { defer group.Done(); work() }()
	}
	group.Wait()
}
