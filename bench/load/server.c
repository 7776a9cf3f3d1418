/* The backend of the benchmarks: echo, source and sink on one port of all loopback addresses. See common.h. */
#define _GNU_SOURCE
#include "common.h"

enum state { FRESH, ECHO, STREAM, ENDING };

struct connection {
  struct wire wire;
  enum state state;
  char header[HEADER_BYTES];
  size_t header_got;
  uint64_t to_send, to_take, taken;
  int count_owed;
  int says_who;
  /* What an echo could not send at once. */
  char *pending;
  size_t pending_at, pending_bytes;
};

static int epoll;
static int32_t self;
static char scratch[65536];

static void forget(struct connection *c) {
  wire_close(&c->wire);
  free(c->pending);
  free(c);
}

/* Each of these returns 0 when the connection is over. */

static int echo_pending(struct connection *c) {
  while (c->pending_at < c->pending_bytes) {
    ssize_t sent = wire_send(&c->wire, c->pending + c->pending_at, c->pending_bytes - c->pending_at);
    if (sent < 0) return errno == EAGAIN;
    c->pending_at += (size_t)sent;
  }
  c->pending_at = c->pending_bytes = 0;
  return 1;
}

static int echo(struct connection *c) {
  if (c->pending_bytes > 0) {
    if (!echo_pending(c)) return 0;
    if (c->pending_bytes > 0) return 1;
  }
  for (;;) {
    ssize_t got = wire_recv(&c->wire, scratch, sizeof scratch, 0);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return 0;
    if (c->says_who && got >= (ssize_t)sizeof self) memcpy(scratch, &self, sizeof self);
    ssize_t sent = wire_send(&c->wire, scratch, (size_t)got);
    if (sent < 0) {
      if (errno != EAGAIN) return 0;
      sent = 0;
    }
    if (sent < got) {
      if (c->pending == NULL && (c->pending = malloc(sizeof scratch)) == NULL) die("malloc");
      c->pending_bytes = (size_t)(got - sent);
      memcpy(c->pending, scratch + sent, c->pending_bytes);
      return 1;
    }
    /* Less than there was room for: nothing is left to read, and the next arrival is reported. */
    if ((size_t)got < sizeof scratch) return 1;
  }
}

/*
 * Streams are watched by level, and each event moves one chunk each way: what is fast on one does not starve the others.
 * Watched for what is still to be done, so that a direction that is through wakes nobody.
 */
static void interest(struct connection *c, uint32_t events) {
  struct epoll_event event = {.events = events, .data.u64 = (uint64_t)(uintptr_t)c};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, c->wire.fd, &event) < 0) die("epoll_ctl");
}

static int stream(struct connection *c) {
  if (c->to_take > 0) {
    ssize_t got = wire_discard(&c->wire, c->to_take);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return 0;
    if (got > 0) {
      c->to_take -= (uint64_t)got;
      c->taken += (uint64_t)got;
      if (c->to_take == 0) interest(c, EPOLLOUT);
    }
  }
  if (c->to_send > 0) {
    size_t most = c->to_send < CHUNK_BYTES ? (size_t)c->to_send : CHUNK_BYTES;
    ssize_t sent = wire_send(&c->wire, bulk, most);
    if (sent < 0 && errno != EAGAIN) return 0;
    if (sent > 0) {
      c->to_send -= (uint64_t)sent;
      if (c->to_send == 0 && c->to_take > 0) interest(c, EPOLLIN);
    }
  }
  if (c->to_send == 0 && c->to_take == 0) {
    if (c->count_owed) {
      ssize_t sent = wire_send(&c->wire, &c->taken, COUNT_BYTES);
      if (sent < 0) return errno == EAGAIN;
    }
    c->state = ENDING;
    interest(c, EPOLLIN);
  }
  return 1;
}

/* The client ends first. */
static int ending(struct connection *c) {
  ssize_t got = wire_discard(&c->wire, CHUNK_BYTES);
  return got > 0 || (got < 0 && errno == EAGAIN);
}

static int fresh(struct connection *c) {
  char letter;
  if (c->header_got == 0) {
    ssize_t seen = wire_recv(&c->wire, &letter, 1, MSG_PEEK);
    if (seen < 0) return errno == EAGAIN;
    if (seen == 0) return 0;
    if (letter == 'E' || letter == 'W') {
      c->state = ECHO;
      c->says_who = letter == 'W';
      return echo(c);
    }
  }
  ssize_t got = wire_recv(&c->wire, c->header + c->header_got, HEADER_BYTES - c->header_got, 0);
  if (got < 0) return errno == EAGAIN;
  if (got == 0) return 0;
  c->header_got += (size_t)got;
  if (c->header_got < HEADER_BYTES) return 1;
  uint64_t bytes;
  memcpy(&bytes, c->header + 8, sizeof bytes);
  letter = c->header[0];
  if (letter != 'S' && letter != 'K' && letter != 'B') return 0;
  if (letter != 'K') c->to_send = bytes;
  if (letter != 'S') c->to_take = bytes;
  c->count_owed = letter != 'S';
  c->state = STREAM;
  interest(c, (c->to_take > 0 ? EPOLLIN : 0) | (c->to_send > 0 ? EPOLLOUT : 0));
  return stream(c);
}

static int handle(struct connection *c) {
  switch (c->state) {
    case FRESH: return fresh(c);
    case ECHO: return echo(c);
    case STREAM: return stream(c);
    default: return ending(c);
  }
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN) return;
      if (errno == ECONNABORTED || errno == EINTR) continue;
      die("accept");
    }
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) die("calloc");
    c->wire.fd = fd;
    wire_wrap(&c->wire);
    /* Both directions once, and edges only: no further call of epoll_ctl in the life of a short connection. */
    watch(epoll, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, (uint64_t)(uintptr_t)c);
  }
}

/* server [CERT KEY]: with the two files, over TLS */
int main(int argc, char **argv) {
  die_with_parent();
#ifdef TLS
  if (argc != 3) die("no certificate");
  tls_begin(argv[1], argv[2]);
#else
  (void)argc, (void)argv;
#endif
  signal(SIGPIPE, SIG_IGN);
  memset(bulk, 'x', sizeof bulk);
  self = getpid();
  int on = 1;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) die("socket");
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  /* All of 127.0.0.0/8 leads here, so that each measurement can have an address, and with it ports, of its own. */
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
  socklen_t length = sizeof where;
  if (bind(listener, (struct sockaddr *)&where, sizeof where) < 0) die("bind");
  if (listen(listener, 4096) < 0) die("listen");
  if (getsockname(listener, (struct sockaddr *)&where, &length) < 0) die("getsockname");
  printf("{\"port\":%d}\n", ntohs(where.sin_port));
  fflush(stdout);

  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  watch(epoll, listener, EPOLLIN, 0);
  struct epoll_event events[256];
  for (;;) {
    int ready = epoll_wait(epoll, events, 256, -1);
    if (ready < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < ready; i++) {
      struct connection *c = (struct connection *)(uintptr_t)events[i].data.u64;
      if (c == NULL) accept_all(listener);
      else if (!handle(c)) forget(c);
    }
  }
}
