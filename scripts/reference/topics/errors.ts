/**
 * The errors that the library throws, or rejects promises with. Each has a `code`.
 *
 * @module
 */
export {
  BindError,
  CheckError,
  ClientHelloError,
  ClosedError,
  CompileError,
  ConnectError,
  NotEstablishedError,
  NotSupportedError,
  OptionError,
  ProxyHeaderError,
  type ProxyHeaderFault,
  SockchartError,
} from 'sockchart';
