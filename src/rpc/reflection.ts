import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { ServerReflectionRequest, ServerReflectionResponse } from './generated/grpc/reflection/v1/reflection.ts';
import { Status } from './status.ts';

type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;

/**
 * Server reflection over the whole descriptor set. Every answer carries a file and all that it imports: strict
 * clients (Python's) do not link a file whose imports they were not given.
 */
export class Reflection {
  readonly #files = new Map<string, { proto: FileDescriptorProto; bytes: Buffer }>();
  readonly #fileOfSymbol = new Map<string, string>();
  readonly #services: string[] = [];

  constructor(descriptorSet: Uint8Array) {
    for (const proto of fromBinary(FileDescriptorSetSchema, descriptorSet).file) {
      this.#files.set(proto.name, { proto, bytes: Buffer.from(toBinary(FileDescriptorProtoSchema, proto)) });
      for (const service of proto.service) this.#services.push(`${proto.package}.${service.name}`);
      for (const symbol of symbolsOf(proto)) this.#fileOfSymbol.set(symbol, proto.name);
    }
  }

  answer(request: ServerReflectionRequest): ServerReflectionResponse {
    return { validHost: request.host, originalRequest: request, messageResponse: this.#respond(request) };
  }

  #respond({ messageRequest: ask }: ServerReflectionRequest): Answer {
    switch (ask?.$case) {
      case 'listServices':
        return { $case: 'listServicesResponse', value: { service: this.#services.map((name) => ({ name })) } };
      case 'fileByFilename':
        return this.#file(ask.value);
      case 'fileContainingSymbol':
        return this.#file(this.#fileOfSymbol.get(ask.value));
      case 'fileContainingExtension':
      case 'allExtensionNumbersOfType':
        return failure(Status.NOT_FOUND, 'no extensions are defined');
      default:
        return failure(Status.INVALID_ARGUMENT, 'empty reflection request');
    }
  }

  #file(name: string | undefined): Answer {
    const names = new Set<string>();
    this.#collect(name, names);
    if (names.size === 0) return failure(Status.NOT_FOUND, 'no such file or symbol');
    const fileDescriptorProto = [...names].flatMap((n) => this.#files.get(n)?.bytes ?? []);
    return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
  }

  #collect(name: string | undefined, into: Set<string>): void {
    const file = name === undefined ? undefined : this.#files.get(name);
    if (file === undefined || into.has(file.proto.name)) return;
    into.add(file.proto.name);
    for (const dependency of file.proto.dependency) this.#collect(dependency, into);
  }
}

function symbolsOf(file: FileDescriptorProto): string[] {
  const symbols: string[] = [];
  const messages = (prefix: string, list: FileDescriptorProto['messageType']): void => {
    for (const message of list) {
      const name = `${prefix}.${message.name}`;
      symbols.push(name, ...message.field.map((f) => `${name}.${f.name}`));
      symbols.push(...message.enumType.map((e) => `${name}.${e.name}`));
      messages(name, message.nestedType);
    }
  };
  messages(file.package, file.messageType);
  symbols.push(...file.enumType.map((e) => `${file.package}.${e.name}`));
  for (const service of file.service) {
    const name = `${file.package}.${service.name}`;
    symbols.push(name, ...service.method.map((m) => `${name}.${m.name}`));
  }
  return symbols;
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { $case: 'errorResponse', value: { errorCode, errorMessage } };
}
