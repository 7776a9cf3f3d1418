/* What the load generator and the backend share: the protocol, clocks, and sockets that never block. Linux only. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * The first byte of a connection says what the backend does:
 *   'E'  echo: everything comes back, this byte too, until the client ends
 *   'W'  who: the same, with the backend's pid in the place of the first four bytes of what was read
 *   'S'  source: sends n bytes, then waits for the client to end
 *   'K'  sink: takes n bytes, then answers with the count
 *   'B'  both at once: n bytes each way, then the count
 * S, K and B have a header of 16 bytes: the letter, seven bytes of nothing, and n. The count has 8 bytes.
 */
#define HEADER_BYTES 16
#define COUNT_BYTES 8

/* One read or write moves at most this much: large enough that system calls do not count, small enough for the cache. */
#define CHUNK_BYTES (256 * 1024)

static inline void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static inline int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The CPU time that a process has used, all threads, to the nanosecond; -1 if there is no such process. */
static inline int64_t cpu_ns(pid_t pid) {
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) return -1;
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Nobody is left behind: whoever started this has gone, so this goes too. */
static inline void die_with_parent(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == 1) exit(1);
}

static inline void watch(int epoll, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static char bulk[CHUNK_BYTES];

#ifdef TLS
#include "tls.h"
#else

/* A connection's bytes as they are on its socket; tls.h has the same over TLS. Each call is as the system's. */
struct wire {
  int fd;
};

static inline ssize_t wire_recv(struct wire *w, void *to, size_t most, int flags) { return recv(w->fd, to, most, flags); }

static inline ssize_t wire_send(struct wire *w, const void *from, size_t bytes) {
  return send(w->fd, from, bytes, MSG_NOSIGNAL);
}

/* Throws away up to `want` bytes without copying them: MSG_TRUNC. Otherwise as recv. */
static inline ssize_t wire_discard(struct wire *w, uint64_t want) {
  size_t most = want < 4 * CHUNK_BYTES ? (size_t)want : 4 * CHUNK_BYTES;
  return recv(w->fd, NULL, most, MSG_TRUNC | MSG_DONTWAIT);
}

static inline int wire_end(struct wire *w) { return shutdown(w->fd, SHUT_WR); }
static inline void wire_close(struct wire *w) { close(w->fd); }
/* Before its first byte. */
static inline void wire_wrap(struct wire *w) { (void)w; }
/* 1: bytes may be sent. 0: not yet. -1: failed. */
static inline int wire_ready(struct wire *w) { return w->fd >= 0; }
static inline int wire_resumed(struct wire *w) { return w->fd >= 0; }
#endif

#endif
